# Clusters of several nodes, each in a network namespace of its own, under
# faults of processes and network. They need root.
if(NOT TARGET vartalap OR NOT TARGET integration_rig)
  return()
endif()
find_package(Threads REQUIRED)
find_package(RapidJSON REQUIRED)

add_library(cluster_rig STATIC
  cluster_forward.cpp
  cluster_net.cpp
  cluster_verdict.cpp
  crash_rig.cpp)
target_link_libraries(cluster_rig PUBLIC
  integration_rig vartalap_options Threads::Threads)
target_compile_definitions(cluster_rig PRIVATE
  VARTALAP_BINARY="$<TARGET_FILE:vartalap>")
add_dependencies(cluster_rig vartalap)

vartalap_add_test(cluster_net_test
  LABELS fault cluster
  TIMEOUT 60
  SOURCES cluster_net_test.cpp
  LIBS cluster_rig)
vartalap_add_test(cluster_verdict_test
  LABELS fault cluster
  SOURCES cluster_verdict_test.cpp
  LIBS cluster_rig)
