// The table of network architectures. A new one is a .cpp file and a line in models.cpp.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "base/settings.hpp"
#include "model/affine_map.hpp"
#include "model/symmetry.hpp"

namespace fleet {

class Network;

/// What the data asks of a network.
struct NetworkShape {
  enum class Input {
    kFeatures,  ///< a vector
    kImage,     ///< channels x height x width
    kText,      ///< a sequence of symbols; one output row a step
    kSequence,  ///< a sequence of vectors; one output row a step
    kPoints,    ///< a vector that begins with a cloud of points
    /// A sequence of steps in a body's life: returns to go (one for each body, 0 but for the one at hand), which body
    /// it is (one-hot), states side by side, which body once more, what it did last, side by side, and the number of
    /// the step.
    kTrajectory,
  };
  int inputs = 0;   ///< features of one sample or of one step, or symbols of the vocabulary
  int outputs = 0;  ///< classes, or dimensions of an action
  Input input = Input::kFeatures;
  int channels = 1;  ///< of an image, or numbers of a point
  int height = 0;
  int width = 0;
  int steps = 0;    ///< of a sequence, at most
  int bodies = 0;   ///< of a trajectory, as are the next two: how many it can be of
  int states = 0;   ///< numbers of all their states; those of their actions are the outputs
  int longest = 0;  ///< steps of an episode, at most
  int points = 0;   ///< with whose numbers, one point after another, a vector, or each of a sequence, begins
  /// Widths of a multilayer perceptron, unless "model.hidden" says otherwise; empty: 128, 128.
  std::span<const int> hidden;
};

struct ModelEntry {
  std::string_view name;
  std::string_view summary;
  std::span<const NetworkShape::Input> takes;
  /// Reads its options from "model.*".
  std::shared_ptr<const Network> (*make)(SettingsReader& settings, const NetworkShape& shape);
};

/// Every architecture, in the order they are listed to users.
[[nodiscard]] std::span<const ModelEntry> model_table();

/// The network that "model.kind" names; by default the first that takes such data. ConfigError if it does not, or if
/// the network has more weights than a message between ranks can have.
[[nodiscard]] std::shared_ptr<const Network> make_network(SettingsReader& settings, const NetworkShape& shape);
/// What may be done to the units of a network whose activations are odd (tanh): permutations, or with
/// "model.sign_flips" (default false) signed ones.
[[nodiscard]] GroupKind read_sign_flips(SettingsReader& settings);
/// Reads a list of widths, or of channels: at most kMostLayers, each at most kWidest.
void read_widths(SettingsReader& settings, std::string_view key, std::vector<int>& widths, Sentence about);
inline constexpr int kWidest = 1'000'000;
inline constexpr int kMostLayers = 1000;
/// Of the forms that the same data can take, the first that fits the architecture which "model.kind" names; the first
/// of all if it names none. ConfigError if none fits.
[[nodiscard]] NetworkShape choose_shape(SettingsReader& settings, std::span<const NetworkShape> shapes);
/// Number of weights of a network, and their names.
[[nodiscard]] std::size_t parameter_count(const Network& network);
[[nodiscard]] std::shared_ptr<const ParamLayout> layout_of(const Network& network);
/// Its affine maps. The network lives as long as they do.
[[nodiscard]] std::shared_ptr<const std::vector<AffineMap>> maps_of(const std::shared_ptr<const Network>& network);

}  // namespace fleet
