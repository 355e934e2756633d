#include "io/subprocess.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <sstream>

#include "base/error.hpp"
#include "io/file_lock.hpp"

namespace fleet {
namespace {

namespace fs = std::filesystem;

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

/// Ours, less what would change what programs do; their messages in English.
std::vector<std::string> environment_of_programs() {
  std::vector<std::string> variables;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string_view text = *variable;
    if (is_passed_on(text.substr(0, text.find('=')))) variables.emplace_back(text);
  }
  variables.emplace_back("LC_ALL=C");
  return variables;
}

/// Starts a program on these three descriptors; its process id, or 0 and the reason among `complaints`.
pid_t start(const ProgramLine& command, const std::array<int, 3>& streams, const std::vector<std::string>& environment,
            std::string& complaints) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  for (int i = 0; i < 3; ++i) {
    posix_spawn_file_actions_adddup2(&actions, streams[static_cast<std::size_t>(i)], i);
  }
  const std::vector<char*> arguments = pointers_to(command);
  const std::vector<char*> variables = pointers_to(environment);
  pid_t process = 0;
  const int failure = posix_spawnp(&process, arguments[0], &actions, nullptr, arguments.data(), variables.data());
  posix_spawn_file_actions_destroy(&actions);
  if (failure == 0) return process;
  complaints += cat(command[0], ": ", std::strerror(failure), "\n");
  return 0;
}

/// Reads both to their ends, as programs write them, so that none waits for a full pipe.
void read_all(const Descriptor& out, std::string& said, const Descriptor& err, std::string& complaints) {
  const std::array<std::string*, 2> texts = {&said, &complaints};
  std::array<pollfd, 2> open = {pollfd{.fd = out.number(), .events = POLLIN, .revents = 0},
                                pollfd{.fd = err.number(), .events = POLLIN, .revents = 0}};
  std::array<char, 4096> chunk{};
  while (open[0].fd >= 0 || open[1].fd >= 0) {
    if (poll(open.data(), open.size(), -1) < 0 && errno != EINTR) return;
    for (std::size_t i = 0; i < open.size(); ++i) {
      if (open[i].fd < 0 || open[i].revents == 0) continue;
      const ssize_t got = read(open[i].fd, chunk.data(), chunk.size());
      if (got > 0) texts[i]->append(chunk.data(), static_cast<std::size_t>(got));
      if (got == 0 || (got < 0 && errno != EINTR)) open[i].fd = -1;  // poll() passes over it
    }
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

std::vector<char*> pointers_to(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));  // NOLINT: not written to
  pointers.push_back(nullptr);
  return pointers;
}

bool is_passed_on(std::string_view variable) {
  // What programs take for options of every call, and what a shell runs first.
  constexpr std::array<std::string_view, 16> kOptions = {
      "GZIP",     "BZIP",     "BZIP2",  "TAR_OPTIONS", "TAPE",     "UNZIP", "UNZIPOPT",        "ZIPOPT",
      "BASH_ENV", "FFREPORT", "XZ_OPT", "XZ_DEFAULTS", "LANGUAGE", "LANG",  "POSIXLY_CORRECT", "CDPATH"};
  if (std::find(kOptions.begin(), kOptions.end(), variable) != kOptions.end()) return false;
  if (variable.starts_with("LC_") || variable.starts_with("ZSTD_") || variable.starts_with("AV_LOG_")) return false;
  // Of families of options, those that say where things are.
  struct Family {
    std::string_view prefix;
    std::vector<std::string_view> kept;
  };
  const std::array<Family, 3> families = {
      Family{"PYTHON", {"PATH", "HOME", "USERBASE", "NOUSERSITE", "EXECUTABLE", "PYCACHEPREFIX"}},
      Family{"PIP_",
             {"INDEX_URL", "EXTRA_INDEX_URL", "FIND_LINKS", "TRUSTED_HOST", "CERT", "CLIENT_CERT", "PROXY",
              "CONFIG_FILE", "CACHE_DIR", "KEYRING_PROVIDER", "NO_INDEX"}},
      Family{"NPM_CONFIG_",
             {"REGISTRY", "PROXY", "HTTP_PROXY", "HTTPS_PROXY", "NOPROXY", "CA", "CAFILE", "CERT", "KEY", "STRICT_SSL",
              "USERCONFIG", "GLOBALCONFIG", "CACHE", "PREFIX"}}};
  std::string name(variable);  // npm takes its own in any case, and with either dash
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(c == '-' ? '_' : std::toupper(c)); });
  for (const Family& family : families) {
    if (!name.starts_with(family.prefix)) continue;
    const std::string_view rest = std::string_view(name).substr(family.prefix.size());
    return std::find(family.kept.begin(), family.kept.end(), rest) != family.kept.end();
  }
  return true;
}

Outcome run(const std::vector<ProgramLine>& pipeline, const fs::path& input) {
  Descriptor from(open(input.c_str(), O_RDONLY | O_CLOEXEC));
  if (from.number() < 0) return {.succeeded = false, .said = {}, .complaints = std::strerror(errno)};
  Pipe answer;
  Pipe errors;
  Outcome outcome{.succeeded = true, .said = {}, .complaints = {}};
  const std::vector<std::string> environment = environment_of_programs();
  std::vector<pid_t> processes;
  for (const ProgramLine& command : pipeline) {
    Pipe next;
    const int to = &command == &pipeline.back() ? answer.in.number() : next.in.number();
    const pid_t process = start(command, {from.number(), to, errors.in.number()}, environment, outcome.complaints);
    if (process == 0) outcome.started = outcome.succeeded = false;
    if (process != 0) processes.push_back(process);
    from = std::move(next.out);
  }
  answer.in = Descriptor();  // ours: what is said ends when the last program has closed its own
  errors.in = Descriptor();
  from = Descriptor();
  read_all(answer.out, outcome.said, errors.out, outcome.complaints);
  for (const pid_t process : processes) {
    outcome.succeeded = wait_for(process) && outcome.succeeded;
  }
  return outcome;
}

std::string Outcome::reason(int lines) const {
  constexpr std::size_t kLongest = 240;
  std::string text;
  for (const std::string* told : {&complaints, &said}) {
    std::istringstream in(*told);
    for (std::string line; lines > 0 && std::getline(in, line);) {
      if (line.empty()) continue;
      text += (text.empty() ? "" : "; ") + line;
      --lines;
    }
    if (!text.empty()) break;
  }
  if (text.size() > kLongest) text.replace(kLongest, std::string::npos, " ...");
  return text.empty() ? "failed without a word" : text;
}

namespace {

constexpr std::string_view kScratch = ".fleet-scratch-";
constexpr std::string_view kUnique = "XXXXXX";
constexpr const char* kScratchLock = ".lock";
constexpr int kMostAttempts = 100;

/// Removes the directory if nobody is at work in it any more.
void remove_scratch(const fs::path& directory) {
  std::error_code ignored;
  try {
    const Descriptor lock = open_own_file(directory / kScratchLock, O_RDWR);
    if (lock_whole(lock) == WholeLock::kTaken) fs::remove_all(directory, ignored);
  } catch (const Error&) {
    fs::remove(directory, ignored);  // if there is nothing in it: who has just made it will make another
  }
}

}  // namespace

void ScratchDirectory::remove_abandoned(const fs::path& parent) {
  std::vector<fs::path> found;
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(parent.empty() ? "." : parent, ignored)) {
    const std::string name = entry.path().filename().string();
    const bool ours = name.starts_with(kScratch) && name.size() == kScratch.size() + kUnique.size();
    if (ours && fs::is_directory(entry.symlink_status(ignored))) found.push_back(entry.path());
  }
  for (const fs::path& directory : found) remove_scratch(directory);
}

ScratchDirectory::ScratchDirectory(const fs::path& parent) {
  remove_abandoned(parent);
  for (int attempt = 0; attempt < kMostAttempts; ++attempt) {
    if (create(parent)) return;
  }
  throw Error(cat(parent.string(), ": cannot create a directory in it"));
}

/// False if another process took it for a dead one's before our lock was on it.
bool ScratchDirectory::create(const fs::path& parent) {
  std::string name = (parent / cat(kScratch, kUnique)).string();
  require(mkdtemp(name.data()) != nullptr, parent.string(),
          ": cannot create a directory in it: ", std::strerror(errno));
  path_ = name;
  try {
    lock_ = open_own_file(path_ / kScratchLock, O_RDWR | O_CREAT | O_EXCL);
  } catch (const Error&) {
    if (!fs::remove(path_)) return false;
    throw;
  }
  std::error_code absent;
  return lock_whole(lock_) != WholeLock::kInUse && fs::exists(path_ / kScratchLock, absent);
}

ScratchDirectory::~ScratchDirectory() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

}  // namespace fleet
