// Other programs at work for this one: run in a pipeline, their answer read, a directory to work in.
// Hides processes, pipes and descriptors.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace fleet {

/// A program and its arguments. No shell reads them: a path may hold any character.
using Command = std::vector<std::string>;

/// How programs ended.
struct Outcome {
  bool started = true;     ///< every one of them is there, on the PATH unless its name holds a slash
  bool succeeded = false;  ///< every one of them ended with status 0
  std::string said;        ///< standard output of the last, and standard error of all
};

/// Runs programs of which each reads what the one before it writes, the first one the file `input`. Throws Interrupted
/// if the user's ctrl-C ended one.
[[nodiscard]] Outcome run(const std::vector<Command>& pipeline, const std::filesystem::path& input = "/dev/null");

/// The first `most` lines of what programs said, joined and cut to a length that can be read.
[[nodiscard]] std::string one_line(const std::string& said, int most = 10);

/// A directory that lasts as long as this object.
class Scratch {
 public:
  /// In `parent`; Error if it cannot be made.
  explicit Scratch(const std::filesystem::path& parent);
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch();
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace fleet
