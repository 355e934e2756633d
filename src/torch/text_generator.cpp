#include "torch/text_generator.hpp"

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "torch/network.hpp"

namespace fleet {
namespace {

/// A network that reads on and on.
class Reader {
 public:
  Reader(const Network& network, const ParamVector& weights, int window)
      : network_(network), parameters_(Network::views(weights)), window_(static_cast<std::size_t>(window)) {}

  /// What it makes of the text so far: an output per symbol that may come next.
  std::vector<float> read(std::span<const std::uint8_t> symbols) {
    // Without state, what has been read must be read again.
    if (network_.carries_state()) read_.clear();
    read_.insert(read_.end(), symbols.begin(), symbols.end());
    if (!network_.carries_state() && read_.size() > window_) {
      read_.erase(read_.begin(), read_.end() - static_cast<std::ptrdiff_t>(window_));
    }
    Pass pass{.state = &state_};
    const torch::Tensor outputs = network_.forward(parameters_, torch::tensor(read_).unsqueeze(0), pass);
    const torch::Tensor last = outputs[outputs.size(0) - 1].contiguous();
    const auto* values = last.data_ptr<float>();
    return {values, values + last.numel()};
  }

 private:
  const Network& network_;
  std::vector<torch::Tensor> parameters_;
  std::size_t window_;
  std::vector<std::int64_t> read_;
  std::vector<torch::Tensor> state_;
};

std::uint8_t draw(std::span<const float> outputs, double temperature, RandomStream& stream) {
  const auto likeliest = std::max_element(outputs.begin(), outputs.end());
  if (temperature == 0.0) return static_cast<std::uint8_t>(likeliest - outputs.begin());
  std::vector<double> up_to;
  double total = 0.0;
  for (const float output : outputs) up_to.push_back(total += std::exp((output - *likeliest) / temperature));
  const auto drawn = std::upper_bound(up_to.begin(), up_to.end(), stream.uniform() * total);
  return static_cast<std::uint8_t>(std::min<std::ptrdiff_t>(drawn - up_to.begin(), std::ssize(outputs) - 1));
}

}  // namespace

std::vector<std::uint8_t> continue_text(const Network& network, const ParamVector& weights,
                                        std::span<const std::uint8_t> prompt, std::int64_t length,
                                        const GeneratorOptions& options, RandomStream& stream) {
  require(!prompt.empty(), "there is no text to go on from");
  const torch::NoGradGuard no_grad;
  Reader reader(network, weights, options.window);
  std::vector<std::uint8_t> text;
  std::vector<float> outputs = reader.read(prompt);
  while (std::ssize(text) < length) {
    for (const float output : outputs) {
      require(std::isfinite(output), "the network's outputs are not finite after ", text.size(), " symbols");
    }
    text.push_back(draw(outputs, options.temperature, stream));
    outputs = reader.read(std::span(text).last(1));
  }
  return text;
}

}  // namespace fleet
