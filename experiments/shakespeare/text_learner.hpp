// Text learned by networks that predict the next character.
#pragma once

#include <memory>

#include "shakespeare/shakespeare.hpp"

namespace fleet {

class Network;

/// The network that a cell of this world trains.
struct TextModel {
  std::shared_ptr<const Network> network;
  int window = 80;  ///< characters from which it learned to predict the next
};
/// Reads "data.window" and "model.*".
[[nodiscard]] TextModel make_text_model(SettingsReader& settings);

/// What learns a text with it.
[[nodiscard]] TextLearner text_learner();

}  // namespace fleet
