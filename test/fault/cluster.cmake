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

# Servers with planted faults, as in crash.cmake.
set(cluster_early_confirm_symbol
  _ZN8vartalap4core10replicatorC1ERKNS0_17replication_rulesE)
set(cluster_forgotten_removal_symbol
  _ZN8vartalap7storage6writer6submitESt6vectorINS0_7requestESaIS3_EE)
set(cluster_dropped_hints_symbol ${early_confirm_symbol})
foreach(fault early_confirm forgotten_removal dropped_hints)
  add_executable(vartalap_cluster_${fault}
    ${PROJECT_SOURCE_DIR}/runtime/main.cpp cluster_${fault}.cpp)
  target_link_libraries(vartalap_cluster_${fault} PRIVATE
    vartalap::node vartalap::load vartalap::storage vartalap::net CLI11::CLI11)
  target_link_options(vartalap_cluster_${fault}
    PRIVATE -Wl,--wrap=${cluster_${fault}_symbol})
endforeach()

add_executable(cluster_control_test cluster_control_test.cpp)
target_link_libraries(cluster_control_test PRIVATE
  cluster_rig vartalap_catch_main)
target_compile_definitions(cluster_control_test PRIVATE
  VARTALAP_EARLY_CONFIRM="$<TARGET_FILE:vartalap_cluster_early_confirm>"
  VARTALAP_FORGOTTEN_REMOVAL="$<TARGET_FILE:vartalap_cluster_forgotten_removal>"
  VARTALAP_DROPPED_HINTS="$<TARGET_FILE:vartalap_cluster_dropped_hints>")
add_dependencies(cluster_control_test vartalap_cluster_early_confirm
  vartalap_cluster_forgotten_removal vartalap_cluster_dropped_hints)
foreach(case cut-off-disk early-confirm removals forgotten-removal hints
    dropped-hints)
  add_test(NAME cluster_${case} COMMAND cluster_control_test "[${case}]")
  set_tests_properties(cluster_${case} PROPERTIES
    LABELS "fault;cluster" TIMEOUT 120 RESOURCE_LOCK cluster)
endforeach()
