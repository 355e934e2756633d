// Errors as values of one small family. Code throws where it notices; main(), Comm::together() and what records a
// cell's failure catch. A message names the field or file, the value seen, and what would be right.
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

namespace fleet {

/// A mistake in the user's input, data or environment, or a computation that diverged. Inside a cell
/// it ends that cell and is recorded as the reason; outside it ends the run (exit code 1).
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A mistake in the configuration or on the command line. Found before anything runs (exit code 2).
class ConfigError : public Error {
 public:
  using Error::Error;
};

/// An Error that every rank of a communicator throws alike; one of them, the speaker, tells the user.
class SharedError : public Error {
 public:
  SharedError(const std::string& message, bool speaker) : Error(message), speaker_(speaker) {}
  [[nodiscard]] bool is_speaker() const { return speaker_; }

 private:
  bool speaker_;
};

/// The user or the scheduler asked the run to stop; what is finished is kept (exit code 75).
class Interrupted : public std::runtime_error {
 public:
  Interrupted() : std::runtime_error("interrupted") {}
};

/// The arguments, streamed one after another into one string.
template <class... Parts>
[[nodiscard]] std::string cat(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

/// Throws Error(cat(message...)) unless `condition` holds.
template <class... Parts>
void require(bool condition, const Parts&... message) {
  if (!condition) throw Error(cat(message...));
}

}  // namespace fleet
