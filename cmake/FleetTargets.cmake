# How this project's targets are made: warnings on our code, none from others' headers.

function(fleet_compile_options target)
  # A designated initialiser's rest has its defaults; the others are false alarms of GCC 12 to 14 on what they inline.
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wshadow -Wconversion -Wno-missing-field-initializers)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    target_compile_options(${target} PRIVATE -Wno-array-bounds -Wno-restrict -Wno-stringop-overflow)
  elseif(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 15)
    target_compile_options(${target} PRIVATE -Wno-array-bounds)
  endif()
  if(CMAKE_UNITY_BUILD)
    target_compile_options(${target} PRIVATE -Wno-subobject-linkage)  # takes what lies in one source file for a header
  endif()
  if(FLEET_SANITIZE)
    target_compile_options(${target} PUBLIC -fsanitize=address,undefined -fno-omit-frame-pointer)
    target_link_options(${target} PUBLIC -fsanitize=address,undefined)
  endif()
  if(FLEET_FUZZ)
    target_compile_options(${target} PRIVATE -fsanitize=fuzzer-no-link)
  endif()
endfunction()

# fleet_common_headers(target): its files see Eigen and the standard library as fleet_model has precompiled them, which
# halves the time of a build. CMAKE_DISABLE_PRECOMPILE_HEADERS=ON shows whether each file includes what it needs.
function(fleet_common_headers target)
  target_precompile_headers(${target} REUSE_FROM fleet_model)
endfunction()

# fleet_layer(name SOURCES ... LINKS ... [HEADERS file]): the library of one folder of src. Links are public: a layer
# brings along the layers to its left. Layers above fleet_model share its precompiled headers, unless they have others.
function(fleet_layer name)
  cmake_parse_arguments(ARG "" "HEADERS" "SOURCES;LINKS;PRIVATE_LINKS" ${ARGN})
  add_library(fleet_${name} STATIC ${ARG_SOURCES})
  target_include_directories(fleet_${name} PUBLIC ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(fleet_${name} PUBLIC ${ARG_LINKS} PRIVATE ${ARG_PRIVATE_LINKS})
  fleet_compile_options(fleet_${name})
  if(ARG_HEADERS)
    target_precompile_headers(fleet_${name} PRIVATE ${ARG_HEADERS})
  elseif(TARGET fleet_model)
    fleet_common_headers(fleet_${name})
  endif()
endfunction()
