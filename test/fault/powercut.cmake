# Power cuts and failing disks under the store. The recorder and the shim are
# linked in: their open, write and sync are then found before the C library's,
# also by LMDB.
foreach(shim powercut_recorder io_shim)
  add_library(vartalap_${shim} OBJECT ${CMAKE_CURRENT_LIST_DIR}/${shim}.c)
  target_include_directories(vartalap_${shim} PRIVATE ${CMAKE_CURRENT_LIST_DIR})
  target_compile_options(vartalap_${shim} PRIVATE
    -Wall -Wextra -Werror -U_FORTIFY_SOURCE)
endforeach()

if(TARGET vartalap_store_fixture)
  add_executable(powercut_workload powercut_workload.cpp
    $<TARGET_OBJECTS:vartalap_powercut_recorder>)
  target_link_libraries(powercut_workload PRIVATE
    vartalap_options vartalap_store_fixture)

  vartalap_add_test(powercut_test
    LABELS fault storage
    SOURCES powercut_test.cpp
    LIBS vartalap_store_fixture)
  target_compile_definitions(powercut_test PRIVATE
    VARTALAP_POWERCUT_WORKLOAD="$<TARGET_FILE:powercut_workload>")
  add_dependencies(powercut_test powercut_workload)

  vartalap_add_test(powercut_io_test
    LABELS fault storage
    SOURCES powercut_io_test.cpp $<TARGET_OBJECTS:vartalap_io_shim>
    LIBS vartalap_store_fixture)
endif()
