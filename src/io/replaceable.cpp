#include "io/replaceable.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "io/atomic_file.hpp"

namespace fleet {

namespace fs = std::filesystem;

std::string why_unclear(const fs::path& path) {
  fs::path so_far;
  for (const fs::path& part : path) {
    std::error_code failure;
    if (part == ".." && !so_far.empty() && !fs::exists(so_far, failure)) {
      return cat(path.string(), " leads out of ", so_far.string(), ", which is not there; name the place itself");
    }
    so_far /= part;
  }
  return "";
}

std::string why_not_replaceable(const fs::path& path, const FileKind& kind) {
  if (std::string reason = why_unclear(path); !reason.empty()) return reason;
  std::error_code failure;
  const fs::file_status status = fs::symlink_status(path, failure);
  if (!fs::exists(status)) return "";
  if (fs::is_regular_file(status) && kind.is_own(path)) return "";
  const std::string what = fs::is_symlink(status) ? " is a symbolic link"
                           : fs::is_directory(status)
                               ? " is a directory"
                               : cat(" is there already, and is no ", kind.name, " of this program, or is damaged");
  return cat(path.string(), what, "; it is left as it is: move it away, or choose another place");
}

void require_replaceable(const fs::path& path, const FileKind& kind) {
  const std::string reason = why_not_replaceable(path, kind);
  if (!reason.empty()) throw ConfigError(reason);
  remove_temporaries(path.parent_path(), [&](const std::string& target) { return target == path.filename(); });
}

fs::path set_aside(const fs::path& path) {
  std::error_code failure;
  if (!fs::exists(fs::symlink_status(path, failure))) return {};
  fs::path aside = path.string() + ".replaced";
  for (int copy = 2; fs::exists(fs::symlink_status(aside, failure)); ++copy)
    aside = cat(path.string(), ".replaced-", copy);
  fs::rename(path, aside, failure);
  require(!failure, path.string(), ": cannot be kept as ", aside.string(), ": ", failure.message());
  return aside;
}

std::string some_of(std::vector<std::string> names) {
  constexpr std::size_t kShown = 3;
  std::sort(names.begin(), names.end());
  std::string text;
  for (std::size_t i = 0; i < std::min(kShown, names.size()); ++i) text += (i > 0 ? ", " : "") + names[i];
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, '?');
  return names.size() > kShown ? cat(text, " and ", names.size() - kShown, " more") : text;
}

}  // namespace fleet
