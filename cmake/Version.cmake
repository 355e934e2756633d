# Writes version.hpp with the project's version and the git revision it is built from.
find_package(Git QUIET)
set(REVISION "unknown")
if(GIT_FOUND)
  execute_process(COMMAND ${GIT_EXECUTABLE} describe --always --dirty --abbrev=12
                  WORKING_DIRECTORY ${SOURCE} OUTPUT_VARIABLE described OUTPUT_STRIP_TRAILING_WHITESPACE
                  ERROR_QUIET RESULT_VARIABLE failed)
  if(NOT failed)
    set(REVISION "${described}")
  endif()
endif()
file(CONFIGURE OUTPUT ${OUTPUT} CONTENT [[
// Generated. What this program was built from.
#pragma once

namespace fleet {
inline constexpr const char* kVersion = "@VERSION@";
inline constexpr const char* kGitRevision = "@REVISION@";
}  // namespace fleet
]] @ONLY)
