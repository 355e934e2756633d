// What a merge asks of its robots: bytes by what they are, and what robots do for it beside their training.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace fleet {

/// Kinds of numbers that robots and the rest of their fleet send each other.
enum class Cargo : std::uint8_t {
  kWeights,
  kMoments,    ///< sums over samples of products of what enters or leaves a layer, or of squared gradients
  kGradients,  ///< sums over samples of the loss's gradient
  kScalars,    ///< losses, scores, numbers of samples
};
inline constexpr std::array<std::string_view, 4> kCargos{"weights", "moments", "gradients", "scalars"};

/// Payloads that cross between robots and a server, as if each robot had a line of its own to it: what ranks send each
/// other to simulate that is RoundRecord::bytes_moved.
struct CargoBytes {
  std::uint64_t sent = 0;      ///< by robots
  std::uint64_t received = 0;  ///< by robots
};

/// Of all robots together.
struct MergeCost {
  std::array<CargoBytes, kCargos.size()> bytes{};
  std::uint64_t episodes = 0;  ///< acted in, to choose between candidates
  std::uint64_t steps = 0;     ///< of local training that the merge itself asks for

  [[nodiscard]] CargoBytes& of(Cargo cargo) { return bytes[static_cast<std::size_t>(cargo)]; }
};

}  // namespace fleet
