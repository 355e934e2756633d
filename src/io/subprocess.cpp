#include "io/subprocess.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <sstream>
#include <utility>

#include "base/error.hpp"

namespace fleet {
namespace {

namespace fs = std::filesystem;

/// A file descriptor that programs we start do not inherit.
class Descriptor {
 public:
  explicit Descriptor(int number = -1) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~Descriptor() {
    if (number_ >= 0) close(number_);
  }
  [[nodiscard]] int number() const { return number_; }

 private:
  int number_;
};

struct Pipe {
  Pipe() {
    std::array<int, 2> ends{};
    require(pipe2(ends.data(), O_CLOEXEC) == 0, "cannot create a pipe: ", std::strerror(errno));
    out = Descriptor(ends[0]);
    in = Descriptor(ends[1]);
  }
  Descriptor out;
  Descriptor in;
};

/// Starts a program on these three descriptors; its process id, or 0 and the reason in `said`.
pid_t start(const Command& command, const std::array<int, 3>& streams, std::string& said) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  for (int i = 0; i < 3; ++i) {
    posix_spawn_file_actions_adddup2(&actions, streams[static_cast<std::size_t>(i)], i);
  }
  std::vector<char*> arguments;
  for (const std::string& argument : command) {
    arguments.push_back(const_cast<char*>(argument.c_str()));  // NOLINT: it is not written to
  }
  arguments.push_back(nullptr);
  pid_t process = 0;
  const int failure = posix_spawnp(&process, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failure == 0) return process;
  said = cat(command[0], ": ", std::strerror(failure), "\n");
  return 0;
}

std::string read_all(const Descriptor& descriptor) {
  std::string text;
  std::array<char, 4096> chunk{};
  for (;;) {
    const ssize_t got = read(descriptor.number(), chunk.data(), chunk.size());
    if (got > 0) text.append(chunk.data(), static_cast<std::size_t>(got));
    if (got == 0 || (got < 0 && errno != EINTR)) return text;
  }
}

/// Waits for a process; whether its status was 0. Throws Interrupted if the user's ctrl-C ended it,
/// which would otherwise pass for a source that failed.
bool wait_for(pid_t process) {
  int status = 0;
  while (waitpid(process, &status, 0) < 0) {
    if (errno != EINTR) return false;
  }
  const bool interrupted = WIFSIGNALED(status) ? WTERMSIG(status) == SIGINT : WEXITSTATUS(status) == 128 + SIGINT;
  if (interrupted) throw Interrupted();
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace

Outcome run(const std::vector<Command>& pipeline, const fs::path& input) {
  Descriptor from(open(input.c_str(), O_RDONLY | O_CLOEXEC));
  if (from.number() < 0) return {.succeeded = false, .said = std::strerror(errno)};
  Pipe answer;
  Outcome outcome{.succeeded = true, .said = {}};
  std::vector<pid_t> processes;
  for (const Command& command : pipeline) {
    Pipe next;
    const int to = &command == &pipeline.back() ? answer.in.number() : next.in.number();
    const pid_t process = start(command, {from.number(), to, answer.in.number()}, outcome.said);
    if (process == 0) outcome.started = outcome.succeeded = false;
    if (process != 0) processes.push_back(process);
    from = std::move(next.out);
  }
  answer.in = Descriptor();  // ours: the answer ends when the last program has closed its own
  from = Descriptor();
  outcome.said += read_all(answer.out);
  for (const pid_t process : processes) {
    outcome.succeeded = wait_for(process) && outcome.succeeded;
  }
  return outcome;
}

std::string one_line(const std::string& said, int most) {
  constexpr std::size_t kLongest = 240;
  std::istringstream lines(said);
  std::string text;
  for (std::string line; most > 0 && std::getline(lines, line);) {
    if (line.empty()) continue;
    text += (text.empty() ? "" : "; ") + line;
    --most;
  }
  if (text.size() > kLongest) text.replace(kLongest, std::string::npos, " ...");
  return text.empty() ? "failed without a word" : text;
}

Scratch::Scratch(const fs::path& parent) {
  std::string name = (parent / ".fetch-XXXXXX").string();
  require(mkdtemp(name.data()) != nullptr, parent.string(),
          ": cannot create a directory in it: ", std::strerror(errno));
  path_ = name;
}

Scratch::~Scratch() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

}  // namespace fleet
