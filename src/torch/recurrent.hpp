// Recurrent networks for sequences: Elman, LSTM and GRU.
#pragma once

#include "torch/models.hpp"

namespace fleet {

/// The one that "model.kind" names ("rnn", "lstm", "gru"): "model.hidden" (widths of the layers, default [128]),
/// "model.embedding" (of symbols: width, default 8; 0 for one-hot) and, for "rnn", "model.activation" ("tanh" or
/// "relu").
[[nodiscard]] std::shared_ptr<const Network> make_recurrent(SettingsReader& settings, const NetworkShape& shape);

}  // namespace fleet
