# fleet_find_header_library(package target header): for a Find module of a library that is nothing but headers. The target
# is that of the package's own description, or, where only the headers are, made of them.
include(FindPackageHandleStandardArgs)

macro(fleet_find_header_library package target header)
  find_package(${package} QUIET CONFIG)
  if(TARGET ${target})
    set(${package}_INCLUDE_DIR ${${package}_DIR})
  else()
    find_path(${package}_INCLUDE_DIR ${header})
    mark_as_advanced(${package}_INCLUDE_DIR)
  endif()
  find_package_handle_standard_args(${package} REQUIRED_VARS ${package}_INCLUDE_DIR)
  if(${package}_FOUND AND NOT TARGET ${target})
    add_library(${target} INTERFACE IMPORTED)
    target_include_directories(${target} SYSTEM INTERFACE ${${package}_INCLUDE_DIR})
  endif()
endmacro()
