# LibTorch as one target, fleet_libtorch, for the few that see it: as its own package describes it, or, where that is built
# for CUDA and this machine has no CUDA toolkit (the wheel of torch, on a machine without GPU), its part for processors.

# The package's description, before it is read: it ends the configuration where it misses a toolkit.
string(REPLACE ":" ";" prefixes "$ENV{CMAKE_PREFIX_PATH}")
set(libtorch_root)
foreach(prefix IN LISTS Torch_DIR CMAKE_PREFIX_PATH prefixes)
  foreach(place "" /Torch /share/cmake/Torch)
    if(NOT libtorch_root AND EXISTS ${prefix}${place}/TorchConfig.cmake)
      get_filename_component(libtorch_root ${prefix}${place}/../../.. ABSOLUTE)
    endif()
  endforeach()
endforeach()

find_program(FLEET_NVCC nvcc HINTS $ENV{CUDA_HOME}/bin $ENV{CUDA_PATH}/bin /usr/local/cuda/bin)
mark_as_advanced(FLEET_NVCC)

add_library(fleet_libtorch INTERFACE)
if(EXISTS "${libtorch_root}/lib/libtorch_cuda.so" AND NOT FLEET_NVCC)
  message(STATUS "Found LibTorch: ${libtorch_root}, its part for processors (it is built for CUDA; there is no nvcc)")
  set(TORCH_INCLUDE_DIRS ${libtorch_root}/include ${libtorch_root}/include/torch/csrc/api/include)
  set(TORCH_LIBRARIES ${libtorch_root}/lib/libtorch_cpu.so ${libtorch_root}/lib/libc10.so)
  file(STRINGS ${libtorch_root}/share/cmake/Torch/TorchConfig.cmake TORCH_CXX_FLAGS REGEX "_GLIBCXX_USE_CXX11_ABI=0")
else()
  find_package(Torch REQUIRED)
endif()

if("${TORCH_CXX_FLAGS}" MATCHES "_GLIBCXX_USE_CXX11_ABI=0")
  message(FATAL_ERROR "This LibTorch has the C++ library's interface of before 2015, and cannot be linked with others "
    "that have today's: take its build named cxx11-abi, or 2.7 or later (${libtorch_root})")
endif()

target_include_directories(fleet_libtorch SYSTEM INTERFACE ${TORCH_INCLUDE_DIRS})
separate_arguments(torch_flags UNIX_COMMAND "${TORCH_CXX_FLAGS}")
target_compile_options(fleet_libtorch INTERFACE ${torch_flags})
target_link_libraries(fleet_libtorch INTERFACE ${TORCH_LIBRARIES})

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LibTorch REQUIRED_VARS TORCH_LIBRARIES TORCH_INCLUDE_DIRS)
