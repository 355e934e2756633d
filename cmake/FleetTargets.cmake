# How this project's targets are made: warnings on our code, none from others' headers.

function(fleet_compile_options target)
  # A designated initialiser's rest has its defaults; the other two are false alarms of GCC 12 on what it inlines.
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wshadow -Wconversion -Wno-missing-field-initializers)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    target_compile_options(${target} PRIVATE -Wno-array-bounds -Wno-restrict)
  endif()
  if(FLEET_SANITIZE)
    target_compile_options(${target} PUBLIC -fsanitize=address,undefined -fno-omit-frame-pointer)
    target_link_options(${target} PUBLIC -fsanitize=address,undefined)
  endif()
  if(FLEET_FUZZ)
    target_compile_options(${target} PRIVATE -fsanitize=fuzzer-no-link)
  endif()
endfunction()

# fleet_layer(name SOURCES ... LINKS ...): the library of one folder of src. Links are public: a layer
# brings along the layers to its left.
function(fleet_layer name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINKS;PRIVATE_LINKS" ${ARGN})
  add_library(fleet_${name} STATIC ${ARG_SOURCES})
  target_include_directories(fleet_${name} PUBLIC ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(fleet_${name} PUBLIC ${ARG_LINKS} PRIVATE ${ARG_PRIVATE_LINKS})
  fleet_compile_options(fleet_${name})
endfunction()
