// Other programs at work for this one: run in a pipeline, their answer read, a directory to work in.
// Hides processes, pipes, descriptors and the environment that programs are given.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "io/descriptor.hpp"

namespace fleet {

/// A program and its arguments. No shell reads them: a path may hold any character.
using ProgramLine = std::vector<std::string>;

/// How programs ended.
struct Outcome {
  bool started = true;     ///< every one of them is there, on the PATH unless its name holds a slash
  bool succeeded = false;  ///< every one of them ended with status 0
  std::string said;        ///< standard output of the last
  std::string complaints;  ///< standard error of all, and which of them are not there

  /// Why they have not succeeded, on one line of at most `lines` of theirs: what they complain of, or else what they
  /// said.
  [[nodiscard]] std::string reason(int lines = 10) const;
};

/// Runs programs of which each reads what the one before it writes, the first one the file `input`. Throws Interrupted
/// if the user's ctrl-C ended one. Settings of the user's environment that change what programs do (GZIP=-9,
/// TAR_OPTIONS, languages) do not reach them; those that say where things are do (PATH, proxies, package indices).
[[nodiscard]] Outcome run(const std::vector<ProgramLine>& pipeline, const std::filesystem::path& input = "/dev/null");

/// The texts as C has them, for as long as they last: arguments or an environment, with a null pointer at the end.
[[nodiscard]] std::vector<char*> pointers_to(const std::vector<std::string>& texts);

/// Whether programs get this variable.
[[nodiscard]] bool is_passed_on(std::string_view variable);

/// A directory that lasts as long as this object, called .fleet-scratch-XXXXXX. One that outlives a killed process is
/// known by a file in it that nobody has locked any more.
class ScratchDirectory {
 public:
  /// In `parent`, where those of dead processes are removed; Error if it cannot be made.
  explicit ScratchDirectory(const std::filesystem::path& parent);
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  ~ScratchDirectory();
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

  /// Removes those in `parent` whose processes have ended.
  static void remove_abandoned(const std::filesystem::path& parent);

 private:
  [[nodiscard]] bool create(const std::filesystem::path& parent);

  std::filesystem::path path_;
  Descriptor lock_;
};

}  // namespace fleet
