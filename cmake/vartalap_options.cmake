# Flags that every target of ours shares.
find_package(Threads REQUIRED)

add_library(vartalap_options INTERFACE)
add_library(vartalap::options ALIAS vartalap_options)
target_compile_features(vartalap_options INTERFACE cxx_std_20)
target_include_directories(vartalap_options INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_options(vartalap_options INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wnon-virtual-dtor
  -Wold-style-cast -Wimplicit-fallthrough -Werror
  -fstack-protector-strong)
target_compile_definitions(vartalap_options INTERFACE _GLIBCXX_ASSERTIONS)
target_link_libraries(vartalap_options INTERFACE Threads::Threads)
target_link_options(vartalap_options INTERFACE -Wl,-z,relro,-z,now)

if(VARTALAP_SANITIZE)
  target_compile_options(vartalap_options INTERFACE
    -fsanitize=${VARTALAP_SANITIZE} -fno-omit-frame-pointer)
  target_link_options(vartalap_options INTERFACE -fsanitize=${VARTALAP_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
    # GCC 12 takes std::regex and std::function for uninitialized when they are
    # instrumented; the sanitizer itself would find such a read.
    target_compile_options(vartalap_options INTERFACE -Wno-maybe-uninitialized)
  endif()
  if(VARTALAP_SANITIZE MATCHES "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL GNU)
    # Asio uses atomic_thread_fence, which GCC's tsan does not model.
    target_compile_options(vartalap_options INTERFACE -Wno-tsan)
  endif()
else()
  target_compile_options(vartalap_options INTERFACE
    $<$<NOT:$<CONFIG:Debug>>:-D_FORTIFY_SOURCE=2>)
endif()

find_program(VARTALAP_MOLD mold)
if(VARTALAP_MOLD)
  target_link_options(vartalap_options INTERFACE -fuse-ld=mold)
endif()
