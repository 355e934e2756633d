// Text that a network writes: what follows a beginning, symbol by symbol.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/random.hpp"
#include "model/param_layout.hpp"

namespace fleet {

class Network;

struct GeneratorOptions {
  /// Symbols are drawn from softmax(outputs / temperature), >= 0; at 0 the likeliest is taken, the first of equals.
  double temperature = 1.0;
  int window = 80;  ///< symbols that a network without recurrent state looks back on, at most
};

/// The `length` symbols that follow `prompt`, which has at least one. A recurrent network carries its state from the
/// first symbol to the last. Error if the network's outputs are not finite.
[[nodiscard]] std::vector<std::uint8_t> continue_text(const Network& network, const ParamVector& weights,
                                                      std::span<const std::uint8_t> prompt, std::int64_t length,
                                                      const GeneratorOptions& options, RandomStream& stream);

}  // namespace fleet
