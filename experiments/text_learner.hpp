// Text learned by networks that predict the next character.
#pragma once

#include <memory>

#include "sweep/world.hpp"

namespace fleet {

class Network;

/// The network that a cell of this world trains.
struct TextModel {
  std::shared_ptr<const Network> network;
  int window = 80;  ///< characters from which it learned to predict the next
};
/// Reads "data.window" and "model.*".
[[nodiscard]] TextModel make_text_model(SettingsReader& settings);

/// The world "shakespeare".
[[nodiscard]] std::unique_ptr<World> make_shakespeare();

}  // namespace fleet
