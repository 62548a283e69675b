# A server whose disk fails when a test says so.
if(NOT TARGET integration_rig)
  return()
endif()
find_package(CLI11 REQUIRED)

add_library(vartalap_io_orders OBJECT ${CMAKE_CURRENT_LIST_DIR}/io_orders.c)
target_compile_options(vartalap_io_orders PRIVATE -Wall -Wextra -Werror)
add_executable(vartalap_failing_disk
  ${PROJECT_SOURCE_DIR}/runtime/main.cpp
  $<TARGET_OBJECTS:vartalap_io_shim>
  $<TARGET_OBJECTS:vartalap_io_orders>)
target_link_libraries(vartalap_failing_disk PRIVATE
  vartalap::node vartalap::load vartalap::storage vartalap::net CLI11::CLI11)

vartalap_add_test(io_node_test
  LABELS fault
  TIMEOUT 120
  SOURCES io_node_test.cpp
  LIBS integration_rig)
target_compile_definitions(io_node_test PRIVATE
  VARTALAP_FAILING_DISK="$<TARGET_FILE:vartalap_failing_disk>")
add_dependencies(io_node_test vartalap_failing_disk)
