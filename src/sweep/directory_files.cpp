#include "sweep/directory_files.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <set>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "io/atomic_file.hpp"
#include "io/replaceable.hpp"

namespace fleet {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 4> kFiles = {"sweep.toml", "cells.tsv", "cells.lock", "runs.tsv"};
constexpr std::array<std::string_view, 2> kFolders = {"cells", "models"};
constexpr std::array<std::string_view, 4> kOfJobs = {".log", ".out", ".err", ".sbatch"};
constexpr std::array<std::string_view, 2> kResults = {".h5", ".failed.h5"};
constexpr std::array<std::string_view, 2> kCheckpoints = {".checkpoint", ".checkpoint.old"};
constexpr std::string_view kMarker = ".running";
constexpr std::size_t kIdLength = 16;

template <std::size_t N>
bool is_among(const std::array<std::string_view, N>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// What follows the id in the name of a cell's file; empty for any other name.
std::string_view suffix_of(std::string_view name) {
  return is_id(name.substr(0, kIdLength)) ? name.substr(kIdLength) : "";
}

fs::file_type type_of(const fs::path& path) {
  std::error_code failure;
  return fs::symlink_status(path, failure).type();
}

std::vector<std::string> names_in(const fs::path& directory) {
  std::vector<std::string> names;
  std::error_code failure;
  for (const auto& entry : fs::directory_iterator(directory, failure)) {
    names.push_back(entry.path().filename().string());
  }
  return names;
}

/// Whether every line is an id, a tab and a label.
bool is_list_of_cells(const fs::path& file) {
  std::ifstream in(file);
  int lines = 0;
  for (std::string line; std::getline(in, line); ++lines) {
    if (!is_id(line.substr(0, kIdLength)) || line.find('\t') != kIdLength) return false;
  }
  return lines > 0;
}

/// Whether a sweep has been prepared here. The first that it leaves is cells/ and then the file of locks, always empty;
/// copies of the directory may lack that.
bool is_prepared(const fs::path& directory) {
  std::error_code failure;
  if (!fs::is_directory(directory / "cells", failure)) return false;
  const fs::path locks = directory / "cells.lock";
  if (is_plain_file(locks) && fs::file_size(locks, failure) == 0 && !failure) return true;
  return is_plain_file(directory / "sweep.toml") && is_list_of_cells(directory / "cells.tsv");
}

/// Why there neither is nor can be made a directory; empty where there is one or can be.
std::string why_no_directory(const fs::path& directory) {
  if (std::string reason = why_unclear(directory); !reason.empty()) return reason;
  for (fs::path path = directory; !path.empty(); path = path.parent_path()) {
    const fs::file_type type = type_of(path);  // once: another job may be making it just now
    std::error_code failure;
    if (type == fs::file_type::directory) return "";
    if (type == fs::file_type::symlink) {
      return fs::is_directory(path, failure) ? "" : cat(path.string(), " is a symbolic link that leads nowhere");
    }
    if (type != fs::file_type::not_found && type != fs::file_type::none) {
      return cat(path.string(), " is a file; a sweep needs a directory of its own");
    }
    if (path == path.parent_path()) break;
  }
  return "";
}

/// A link would lead what is written to another place, and a pipe would be waited for; a directory of a sweep as a
/// whole may be a link.
std::string complaint_about_strange_files(const fs::path& directory) {
  for (const std::string_view name : kFiles) {
    const fs::file_type type = type_of(directory / name);
    if (type == fs::file_type::symlink) {
      return cat((directory / name).string(), " is a symbolic link, which is not followed: remove it");
    }
    if (type != fs::file_type::not_found && type != fs::file_type::regular) {
      return cat((directory / name).string(), " is no plain file, as what a sweep has by this name: remove it");
    }
  }
  std::vector<fs::path> folders;
  for (const std::string_view name : kFolders) {
    if (type_of(directory / name) == fs::file_type::symlink) folders.push_back(directory / name);
  }
  std::error_code absent;
  for (const auto& entry : fs::directory_iterator(directory / "models", absent)) {
    if (entry.is_symlink(absent) && is_id(entry.path().filename().string())) folders.push_back(entry.path());
  }
  if (folders.empty()) return "";
  return cat(folders.front().string(), " is a symbolic link, which is not followed: to keep a sweep elsewhere, let ",
             directory.string(), " as a whole be a link, or name the other place (--output DIR)");
}

bool is_queue(const std::string& name) {
  const std::string_view pattern = kQueuePattern;
  return name.size() == pattern.size() && name.starts_with(pattern.substr(0, pattern.find('X')));
}

bool is_model(const std::string& name) {
  if (name == "merged.h5") return true;
  return std::ranges::any_of(std::array<std::string_view, 3>{"merged-", "robot-", "personal-"}, [&](auto begin) {
    if (!name.starts_with(begin) || !name.ends_with(".h5")) return false;
    const std::string number = name.substr(begin.size(), name.size() - begin.size() - 3);
    return !number.empty() && number.find_first_not_of("0123456789") == std::string::npos;
  });
}

void remove_plain(const fs::path& file) {
  std::error_code ignored;
  if (is_plain_file(file)) fs::remove(file, ignored);
}

void remove_leftovers_of_cells(const fs::path& cells, bool keep_checkpoints) {
  remove_temporaries(cells, [](const std::string& target) {
    const std::string_view suffix = suffix_of(target);
    return is_among(kResults, suffix) || suffix == kMarker || suffix == kCheckpoints[0] || suffix == kTraining;
  });
  const std::vector<std::string> names = names_in(cells);
  const std::set<std::string> present(names.begin(), names.end());
  for (const std::string& name : names) {
    const std::string_view suffix = suffix_of(name);
    const bool done = present.contains(name.substr(0, kIdLength) + ".h5");
    const bool of_no_use = done && !keep_checkpoints && is_among(kCheckpoints, suffix);
    // What earlier versions called a checkpoint that is half written.
    if (suffix == kMarker || of_no_use || suffix == ".checkpoint.tmp") remove_plain(cells / name);
  }
}

}  // namespace

bool is_id(std::string_view text) {
  return text.size() == kIdLength && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool is_plain_file(const fs::path& path) {
  return type_of(path) == fs::file_type::regular;
}

fs::path joined_file(const fs::path& directory) {
  const bool named = directory.has_filename() && directory.filename() != "." && directory.filename() != "..";
  fs::path whole = named ? directory : fs::absolute(directory).lexically_normal();
  if (!whole.has_filename()) whole = whole.parent_path();
  return whole.string() + ".h5";
}

std::string why_not_for_a_sweep(const fs::path& directory, bool into_existing) {
  if (std::string reason = why_no_directory(directory); !reason.empty()) return reason;
  std::error_code failure;
  const std::vector<std::string> names = names_in(directory);  // first: another job may be preparing the sweep just now
  if (is_prepared(directory)) return complaint_about_strange_files(directory);
  std::vector<std::string> others;
  std::vector<std::string> in_the_way;
  for (const std::string& name : names) {
    const fs::path path = directory / name;
    const bool begun = name == "cells" && type_of(path) == fs::file_type::directory && fs::is_empty(path, failure);
    const bool of_jobs = is_among(kOfJobs, path.extension().string()) && is_plain_file(path);
    if (begun || of_jobs) continue;
    others.push_back(name);
    if (is_among(kFiles, name) || is_among(kFolders, name)) in_the_way.push_back(name);
  }
  if (others.empty() || (into_existing && in_the_way.empty())) return "";
  const std::string what = cat(directory.string(), " is not empty and holds no sweep: there is ");
  if (!in_the_way.empty()) {
    return cat(what, some_of(in_the_way),
               ", which a sweep there would write over; choose another directory "
               "(--output DIR), or move it away");
  }
  return cat(what, some_of(others),
             "; choose another directory (--output DIR), or have the sweep's files beside what is "
             "there, which stays as it is (--into-existing)");
}

void remove_leftovers(const fs::path& directory, bool keep_checkpoints) {
  remove_temporaries(directory, [](const std::string& target) { return is_among(kFiles, target); });
  for (const std::string& name : names_in(directory)) {
    if (is_queue(name)) remove_plain(directory / name);
  }
  remove_leftovers_of_cells(directory / "cells", keep_checkpoints);
  for (const std::string& id : names_in(directory / "models")) {
    if (is_id(id)) remove_temporaries(directory / "models" / id, is_model);
  }
  const fs::path joined = joined_file(directory);
  remove_temporaries(joined.parent_path(), [&](const std::string& target) { return target == joined.filename(); });
}

}  // namespace fleet
