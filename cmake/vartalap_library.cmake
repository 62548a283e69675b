# vartalap_add_library(<folder> SOURCES <file>... [PUBLIC <lib>...] [PRIVATE <lib>...] [PCH <header>...])
# One static library per folder, with one precompiled header for what it includes everywhere.
function(vartalap_add_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;PUBLIC;PRIVATE;PCH")
  add_library(vartalap_${name} STATIC ${arg_SOURCES})
  add_library(vartalap::${name} ALIAS vartalap_${name})
  target_link_libraries(vartalap_${name}
    PUBLIC vartalap_options ${arg_PUBLIC}
    PRIVATE ${arg_PRIVATE})
  if(arg_PCH)
    target_precompile_headers(vartalap_${name} PRIVATE ${arg_PCH})
  endif()
endfunction()

# vartalap_add_test(<name> LABELS <label>... SOURCES <file>... LIBS <lib>...)
# A Catch2 binary registered with ctest as one test; links the shared main.
function(vartalap_add_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "TIMEOUT" "SOURCES;LIBS;LABELS")
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE vartalap_options vartalap_catch_main ${arg_LIBS})
  add_test(NAME ${name} COMMAND ${name})
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 300)
  endif()
  set_tests_properties(${name} PROPERTIES LABELS "${arg_LABELS}" TIMEOUT ${arg_TIMEOUT})
endfunction()
