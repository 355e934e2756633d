// The table of network architectures. A new one is a .cpp file and a line in models.cpp.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "base/settings.hpp"

namespace fleet {

class Network;

/// What the data asks of a network.
struct NetworkShape {
  int inputs = 0;   ///< features of one sample
  int outputs = 0;  ///< classes, or dimensions of an action
};

struct ModelEntry {
  std::string_view name;
  std::string_view summary;
  /// Reads its options from "model.*".
  std::shared_ptr<const Network> (*make)(SettingsReader& settings, const NetworkShape& shape);
};

/// Every architecture, in the order they are listed to users.
[[nodiscard]] std::span<const ModelEntry> model_table();

/// The network that "model.kind" names.
[[nodiscard]] std::shared_ptr<const Network> make_network(SettingsReader& settings, const NetworkShape& shape);
/// Number of weights of a network.
[[nodiscard]] std::size_t parameter_count(const Network& network);

}  // namespace fleet
