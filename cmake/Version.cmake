# Writes version.hpp with the project's version and the git revision it is built from: of the checkout, or, in sources that
# `make dist` packed, of what was packed.
file(STRINGS ${SOURCE}/cmake/revision.txt REVISION LIMIT_COUNT 1)
find_package(Git QUIET)
if(REVISION MATCHES "Format")
  set(REVISION "unknown")
endif()
if(GIT_FOUND AND EXISTS ${SOURCE}/.git)
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
