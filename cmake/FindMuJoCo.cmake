# MuJoCo, as MuJoCo::MuJoCo: from MUJOCO_ROOT (a variable here or in the environment: a release archive, or an installation's
# prefix), from what scripts/fetch-mujoco.sh has put into data/mujoco, or from the system.
find_path(MuJoCo_INCLUDE_DIR mujoco/mujoco.h
  HINTS ${MUJOCO_ROOT} $ENV{MUJOCO_ROOT} ${CMAKE_SOURCE_DIR}/data/mujoco/mujoco
  PATH_SUFFIXES include)
get_filename_component(MuJoCo_PREFIX "${MuJoCo_INCLUDE_DIR}" DIRECTORY)
# The wheel's library lies beside its headers' folder, and has no name without a version.
find_library(MuJoCo_LIBRARY NAMES mujoco libmujoco.so.3.3.0
  HINTS ${MuJoCo_PREFIX} PATH_SUFFIXES lib)
mark_as_advanced(MuJoCo_INCLUDE_DIR MuJoCo_LIBRARY)

if(MuJoCo_INCLUDE_DIR)
  file(STRINGS ${MuJoCo_INCLUDE_DIR}/mujoco/mujoco.h MuJoCo_VERSION REGEX "^#define mjVERSION_HEADER")
  # 330 is 3.3.0.
  string(REGEX REPLACE ".*([0-9]+)([0-9])([0-9])$" "\\1.\\2.\\3" MuJoCo_VERSION "${MuJoCo_VERSION}")
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(MuJoCo REQUIRED_VARS MuJoCo_LIBRARY MuJoCo_INCLUDE_DIR VERSION_VAR MuJoCo_VERSION)
if(MuJoCo_FOUND AND NOT TARGET MuJoCo::MuJoCo)
  add_library(MuJoCo::MuJoCo UNKNOWN IMPORTED GLOBAL)
  set_target_properties(MuJoCo::MuJoCo PROPERTIES
    IMPORTED_LOCATION ${MuJoCo_LIBRARY} INTERFACE_INCLUDE_DIRECTORIES ${MuJoCo_INCLUDE_DIR})
endif()
