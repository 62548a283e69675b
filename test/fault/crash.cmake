# Servers that are killed under load, and servers with planted faults that the
# same tests must find. A fault is linked in place of one function of the
# product, so that the product has no switch for it.
if(NOT TARGET vartalap OR NOT TARGET integration_rig)
  return()
endif()
find_package(CLI11 REQUIRED)

set(early_confirm_symbol
  _ZN8vartalap7storage5store4openERKNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEERKNS_4core15storage_optionsENSt6chrono8durationIlSt5ratioILl1ELl1000EEEEjRNS0_15completion_sinkERNSA_8log_portE)
set(early_delete_symbol
  _ZN8vartalap3net13parse_upgradeERKNS0_12http_requestERNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEESA_)
foreach(fault early_confirm early_delete)
  add_executable(vartalap_${fault}
    ${PROJECT_SOURCE_DIR}/runtime/main.cpp crash_${fault}.cpp)
  target_link_libraries(vartalap_${fault} PRIVATE
    vartalap::node vartalap::load vartalap::storage vartalap::net CLI11::CLI11)
  target_link_options(vartalap_${fault}
    PRIVATE -Wl,--wrap=${${fault}_symbol})
endforeach()

add_executable(crash_test crash_test.cpp crash_rig.cpp)
target_link_libraries(crash_test PRIVATE
  integration_rig vartalap_options vartalap_catch_main)
target_compile_definitions(crash_test PRIVATE
  VARTALAP_BINARY="$<TARGET_FILE:vartalap>"
  VARTALAP_EARLY_CONFIRM="$<TARGET_FILE:vartalap_early_confirm>"
  VARTALAP_EARLY_DELETE="$<TARGET_FILE:vartalap_early_delete>")
add_dependencies(crash_test vartalap vartalap_early_confirm vartalap_early_delete)
foreach(case churn offline retry shutdown fault-commit fault-delete)
  add_test(NAME crash_${case} COMMAND crash_test "[${case}]")
  set_tests_properties(crash_${case} PROPERTIES LABELS fault TIMEOUT 120)
endforeach()
