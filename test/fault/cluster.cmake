# Clusters of several nodes, each in a network namespace of its own, under
# faults of processes and network. They need root.
if(NOT TARGET vartalap OR NOT TARGET integration_rig)
  return()
endif()
find_package(Threads REQUIRED)
find_package(RapidJSON REQUIRED)

add_library(cluster_rig STATIC
  cluster_forward.cpp
  cluster_mail.cpp
  cluster_nemesis.cpp
  cluster_net.cpp
  cluster_rig.cpp
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

# Each fault is a test of its own; one cluster at a time, it is the machine's
# cores that they share.
add_executable(cluster_fault_test cluster_fault_test.cpp)
target_link_libraries(cluster_fault_test PRIVATE
  cluster_rig vartalap_catch_main)
foreach(case single control kill-home kill-roles kill-many kill-loop freeze
             partition one-way partial flapping slow restore stop-beside
             rolling)
  add_test(NAME cluster_${case} COMMAND cluster_fault_test "[${case}]")
  set_tests_properties(cluster_${case} PROPERTIES
    LABELS "fault;cluster" TIMEOUT 120 RESOURCE_LOCK cluster)
endforeach()
