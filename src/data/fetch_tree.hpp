// Fetches a published folder of files, and answers for every byte of it: `fleet data fetch metaworld`.
//
// A tree is data: the package on PyPI that carries it, the folder in there, one digest over all of it. Whatever the
// place a copy came from, it is moved to where it belongs, in one step, only once its digest is right.
#pragma once

#include <filesystem>
#include <ostream>
#include <string>
#include <vector>

namespace fleet {

struct PublishedTree {
  std::string name;
  std::string package;               ///< as pip has it, with its version: "metaworld==3.1.1"
  std::string folder;                ///< in the package
  std::vector<std::string> entries;  ///< what lies directly in it, by which a copy of any version is known
  /// Of the tree's listing: what sha256sum prints for its files, in the order of their paths' bytes.
  std::string sha256;
};

/// The trees known by name: "metaworld", the scenes and meshes of Meta-World; "locomotion", the scenes of gymnasium's
/// bodies.
[[nodiscard]] const std::vector<PublishedTree>& published_trees();

/// SHA-256 of the listing of `directory` (PublishedTree::sha256), in lower-case hexadecimal digits. Error if it cannot
/// be read.
[[nodiscard]] std::string tree_digest(const std::filesystem::path& directory);

/// Sees to it that `directory` is the tree. If it is there and right, nothing is run that reaches for a network; one
/// that is there and wrong is named on `log`, and replaced only by a right one; it is kept beside it, as NAME.replaced.
/// ConfigError where there is something else. Error when the package cannot be had or is not what it was: it says why,
/// and what to put where by hand. May be called by several processes at once.
void fetch_tree(const PublishedTree& tree, const std::filesystem::path& directory, std::ostream& log);

}  // namespace fleet
