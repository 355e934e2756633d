// What code has against its input, for tests of messages.
#pragma once

#include <string>

#include "base/error.hpp"

namespace fleet {

/// The message of the Error that `act` throws; "accepted" if it throws none.
template <class Act>
std::string complaint(Act act) {
  try {
    act();
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

}  // namespace fleet
