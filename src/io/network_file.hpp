// What a network is, as JSON: its tensors, what leaves its function unchanged, its layers. `python -m fleet symmetry`
// makes such files (NAME.symmetry.json) from PyTorch modules; docs/merge-your-own.md describes them.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "io/replaceable.hpp"
#include "model/affine_map.hpp"
#include "model/symmetry.hpp"

namespace fleet {

struct NetworkFile {
  SymmetrySpec symmetry;                       ///< carries the layout
  std::vector<AffineMap> maps;                 ///< in the order data passes them; empty where unknown
  std::map<std::string, std::string> aliases;  ///< a second name of a tensor (tied weights) -> its name in the layout
};

/// Error that begins with `name` for what is no such description, or does not fit together.
[[nodiscard]] NetworkFile parse_network(std::string_view json, const std::string& name);
/// Error naming the file if it cannot be read, or is none.
[[nodiscard]] NetworkFile read_network(const std::filesystem::path& path);
/// Whether the file is such a description.
[[nodiscard]] bool is_network_file(const std::filesystem::path& path);
inline constexpr FileKind kOwnNetwork{"description of a network", is_network_file};
/// The inverse of parse_network(): what equals its default is left out.
[[nodiscard]] std::string network_json(const NetworkFile& network);

}  // namespace fleet
