#include "io/atomic_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "base/error.hpp"
#include "base/process.hpp"
#include "io/file_lock.hpp"

namespace fleet {
namespace {

constexpr std::string_view kMark = ".fleet-";
constexpr std::string_view kEnding = ".tmp";
constexpr int kMostAttempts = 1000;

bool is_number(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

TemporaryFile::TemporaryFile(std::filesystem::path target) : target_(std::move(target)) {
  for (int attempt = 0; attempt < kMostAttempts; ++attempt) {
    if (create(attempt)) return;
  }
  throw Error(cat("cannot create ", path_.string(), " nor any of ", kMostAttempts, " names like it: they are taken"));
}

/// False if the name is taken, or if somebody who removes what dead processes have left was faster than our lock.
bool TemporaryFile::create(int attempt) {
  path_ = cat(target_.string(), kMark, host_name(), '.', ::getpid(), attempt > 0 ? cat('-', attempt) : "", kEnding);
  errno = 0;
  file_ = Descriptor(::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666));
  if (file_.number() < 0 && errno == EEXIST) return false;
  const std::filesystem::path folder = target_.has_parent_path() ? target_.parent_path() : ".";
  std::error_code ignored;
  require(file_.number() >= 0, "cannot create ", target_.string(),
          errno == ENOENT && !std::filesystem::exists(folder, ignored) ? cat(": there is no folder ", folder.string())
                                                                       : system_reason());
  const WholeLock lock = lock_whole(file_);
  struct stat seen {};
  return lock != WholeLock::kInUse && ::fstat(file_.number(), &seen) == 0 && seen.st_nlink > 0;
}

TemporaryFile::~TemporaryFile() {
  std::error_code ignored;
  if (file_.number() >= 0) std::filesystem::remove(path_, ignored);
}

void TemporaryFile::write(std::string_view bytes) {
  while (!bytes.empty()) {
    errno = 0;
    const ssize_t written = ::write(file_.number(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    require(written > 0, "cannot write ", target_.string(), system_reason());
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

void TemporaryFile::resize(std::uint64_t size) {
  int failure = EINTR;
  while (failure == EINTR && size > 0) failure = ::posix_fallocate(file_.number(), 0, static_cast<off_t>(size));
  require(size == 0 || failure == 0, "cannot write ", target_.string(), ", of ", size,
          " bytes: ", std::strerror(failure));
}

void TemporaryFile::write_at(std::uint64_t place, std::span<const std::byte> bytes) {
  fleet::write_at(file_, place, bytes, target_.string());
}

void TemporaryFile::sync() {
  errno = 0;
  require(::fsync(file_.number()) == 0, "cannot write ", target_.string(), system_reason());
}

void TemporaryFile::commit() {
  std::error_code error;
  std::filesystem::rename(path_, target_, error);
  std::error_code ignored;
  if (error) std::filesystem::remove(path_, ignored);
  file_ = Descriptor();
  require(!error, "cannot write ", target_.string(), ": ", error.message());
}

std::optional<std::string> target_of_temporary(std::string_view name) {
  if (!name.ends_with(kEnding)) return std::nullopt;
  name.remove_suffix(kEnding.size());
  const std::size_t dot = name.rfind('.');
  if (dot == std::string_view::npos) return std::nullopt;
  const std::string_view number = name.substr(dot + 1);
  const std::string_view named = name.substr(0, dot);  // TARGET.fleet-HOST, or TARGET.HOST
  const std::size_t mark = named.rfind(kMark);
  if (mark != std::string_view::npos && mark > 0 && named.size() > mark + kMark.size()) {
    const std::size_t dash = number.find('-');
    const bool numbered =
        is_number(number.substr(0, dash)) && (dash == std::string_view::npos || is_number(number.substr(dash + 1)));
    return numbered ? std::optional<std::string>(named.substr(0, mark)) : std::nullopt;
  }
  const std::string host = cat('.', host_name());
  if (!is_number(number) || named.size() <= host.size() || !named.ends_with(host)) return std::nullopt;
  return std::string(named.substr(0, named.size() - host.size()));
}

void remove_temporary(const std::filesystem::path& file) {
  try {
    const Descriptor opened = open_own_file(file, O_RDWR);
    std::error_code ignored;
    if (lock_whole(opened) == WholeLock::kTaken) std::filesystem::remove(file, ignored);
  } catch (const Error&) {
    // Gone meanwhile, or not ours: it stays.
  }
}

void remove_temporaries(const std::filesystem::path& directory,
                        const std::function<bool(const std::string& target)>& is_target) {
  std::error_code absent;
  std::vector<std::filesystem::path> found;
  const std::filesystem::path where = directory.empty() ? "." : directory;
  for (const auto& entry : std::filesystem::directory_iterator(where, absent)) {
    const std::optional<std::string> target = target_of_temporary(entry.path().filename().string());
    if (target && is_target(*target)) found.push_back(entry.path());
  }
  for (const std::filesystem::path& file : found) remove_temporary(file);
}

void write_at(const Descriptor& file, std::uint64_t place, std::span<const std::byte> bytes, const std::string& name) {
  while (!bytes.empty()) {
    errno = 0;
    const ssize_t written = ::pwrite(file.number(), bytes.data(), bytes.size(), static_cast<off_t>(place));
    if (written < 0 && errno == EINTR) continue;
    require(written > 0, "cannot write ", name, system_reason());
    bytes = bytes.subspan(static_cast<std::size_t>(written));
    place += static_cast<std::uint64_t>(written);
  }
}

std::string system_reason() {
  return errno != 0 ? cat(": ", std::strerror(errno)) : "";
}

void sync_directory(const std::filesystem::path& directory) {
  const Descriptor opened(::open(directory.empty() ? "." : directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (opened.number() >= 0) ::fsync(opened.number());
}

void write_file_atomically(const std::filesystem::path& path, std::string_view text) {
  TemporaryFile file(path);
  file.write(text);
  file.sync();
  file.commit();
  sync_directory(path.parent_path());
}

void replace_file(const std::filesystem::path& path, std::string_view text) {
  TemporaryFile file(path);
  file.write(text);
  file.commit();
}

}  // namespace fleet
