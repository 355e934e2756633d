#include "data/content_cache.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <ctime>
#include <optional>
#include <sstream>
#include <utility>

#include "base/error.hpp"
#include "base/hash.hpp"

namespace fleet {
namespace {

namespace fs = std::filesystem;

constexpr off_t kLargest = 1 << 18;  // bytes of the cache: some 4,000 answers, after which it begins anew
constexpr std::size_t kHex = 16;

/// What tells whether a file is what it was.
struct Stamp {
  struct stat facts {};

  /// None where there is no such file.
  static std::optional<Stamp> of(const fs::path& path) {
    Stamp stamp;
    if (::stat(path.c_str(), &stamp.facts) != 0 || !S_ISREG(stamp.facts.st_mode)) return std::nullopt;
    return stamp;
  }

  [[nodiscard]] std::string text() const {
    const timespec& written = facts.st_mtim;
    const timespec& changed = facts.st_ctim;
    return cat(facts.st_ino, ' ', facts.st_size, ' ', written.tv_sec, '.', written.tv_nsec, ' ', changed.tv_sec, '.',
               changed.tv_nsec);
  }

  /// Whether another change would show. Not where times of change have no fractions: such file systems (images of
  /// disks, FAT, some that machines share) may give another file the same stamp.
  [[nodiscard]] bool tells(std::chrono::nanoseconds settling) const {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    const auto nanoseconds = [](const timespec& time) {
      return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
    };
    const auto latest = std::max(nanoseconds(facts.st_mtim), nanoseconds(facts.st_ctim));
    return facts.st_ctim.tv_nsec != 0 && nanoseconds(now) - latest >= settling;
  }
};

std::string key_of(const fs::path& path, std::string_view question, const Stamp& stamp) {
  std::error_code unknown;
  const fs::path whole = fs::canonical(path, unknown);
  return Hash().add(unknown ? path.string() : whole.string()).add(question).add(stamp.text()).hex();
}

/// A file of this user's and no link to another; closed with the object, which is false where it could not be opened.
class OwnFile {
 public:
  OwnFile(const fs::path& path, int flags) : descriptor_(::open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW, 0600)) {
    struct stat facts {};
    const bool own =
        descriptor_ >= 0 && ::fstat(descriptor_, &facts) == 0 && S_ISREG(facts.st_mode) && facts.st_uid == ::geteuid();
    if (!own) close();
    size_ = facts.st_size;
  }
  OwnFile(const OwnFile&) = delete;
  OwnFile& operator=(const OwnFile&) = delete;
  ~OwnFile() { close(); }

  explicit operator bool() const { return descriptor_ >= 0; }
  [[nodiscard]] int descriptor() const { return descriptor_; }
  [[nodiscard]] off_t size() const { return size_; }

 private:
  void close() {
    if (descriptor_ >= 0) ::close(descriptor_);
    descriptor_ = -1;
  }
  int descriptor_;
  off_t size_ = 0;
};

}  // namespace

ContentCache::ContentCache(fs::path file, std::chrono::nanoseconds settling)
    : file_(std::move(file)), settling_(settling) {
  if (!file_.empty()) read();
}

fs::path ContentCache::default_file() {
  const auto directory = [](const char* name) -> fs::path {
    const char* const value = std::getenv(name);
    const fs::path path = value != nullptr ? value : "";
    return path.is_absolute() ? path : fs::path();  // as the XDG specification says
  };
  if (const fs::path cache = directory("XDG_CACHE_HOME"); !cache.empty()) return cache / "fleet" / "contents";
  const fs::path home = directory("HOME");
  return home.empty() ? home : home / ".cache" / "fleet" / "contents";
}

std::string ContentCache::answer(const fs::path& path, std::string_view question,
                                 const std::function<std::string()>& find) {
  const std::optional<Stamp> before = Stamp::of(path);
  if (file_.empty() || !before || !before->tells(settling_)) return find();
  const std::string key = key_of(path, question, *before);
  if (const auto known = answers_.find(key); known != answers_.end() && !known->second.empty()) return known->second;
  std::string found = find();
  const std::optional<Stamp> after = Stamp::of(path);
  if (!after || after->text() != before->text()) return found;
  answers_[key] = found;
  append(cat(key, ' ', found));
  return found;
}

void ContentCache::forget(const fs::path& path, std::string_view question) {
  const std::optional<Stamp> stamp = Stamp::of(path);
  if (file_.empty() || !stamp) return;
  const std::string key = key_of(path, question, *stamp);
  answers_[key].clear();
  append(cat(key, ' '));
}

/// A line is the hash of the rest, the key and the answer. Later lines count; those that are wrong do not.
void ContentCache::read() {
  const OwnFile file(file_, O_RDONLY | O_NONBLOCK);
  if (!file) return;
  std::string text;
  std::array<char, 1U << 16U> piece{};
  for (ssize_t got = 0; (got = ::read(file.descriptor(), piece.data(), piece.size())) > 0;) {
    text.append(piece.data(), static_cast<std::size_t>(got));
    if (static_cast<off_t>(text.size()) > 2 * kLargest) return;  // not ours
  }
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.size() < 2 * (kHex + 1)) continue;
    const std::string record = line.substr(kHex + 1);
    if (line.substr(0, kHex) == Hash().add(record).hex()) answers_[record.substr(0, kHex)] = record.substr(kHex + 1);
  }
}

/// One short write: lines of several processes do not mix, and a line that is cut short spoils no other.
void ContentCache::append(const std::string& record) const {
  std::error_code ignored;
  const fs::path directory = file_.parent_path();
  fs::create_directories(directory.parent_path(), ignored);
  ::mkdir(directory.c_str(), 0700);
  const OwnFile file(file_, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK);
  if (!file) return;
  if (file.size() > kLargest && ::ftruncate(file.descriptor(), 0) != 0) return;
  const std::string line = cat('\n', Hash().add(record).hex(), ' ', record, '\n');
  // Where the disk is full, the answer will be found again.
  [[maybe_unused]] const ssize_t written = ::write(file.descriptor(), line.data(), line.size());
}

}  // namespace fleet
