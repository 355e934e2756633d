#include "merge/server.hpp"

#include <array>
#include <cmath>

namespace fleet {
namespace {

using Kind = ServerOptions::Kind;
constexpr std::array<std::pair<std::string_view, Kind>, 3> kServers{
    {{"none", Kind::kNone}, {"momentum", Kind::kMomentum}, {"adam", Kind::kAdam}}};

}  // namespace

ServerOptions read_server(SettingsReader& settings) {
  ServerOptions options;
  settings.read("merge.average.server", options.kind, Names<Kind>(kServers),
                "What the server makes of the mean: the merged policy itself, or a step towards it.");
  if (options.kind == Kind::kNone) return options;
  if (options.kind == Kind::kAdam) options.learning_rate = 1e-2;
  settings.read("merge.average.server_rate", options.learning_rate, above(0), "Learning rate of the server.");
  settings.read("merge.average.server_beta1", options.beta1, between(0, 0.999999), "Decay of the server's momentum.");
  if (options.kind == Kind::kMomentum) return options;
  settings.read("merge.average.server_beta2", options.beta2, between(0, 0.999999),
                "Decay of the squared changes of the server's Adam.");
  settings.read("merge.average.server_tau", options.tau, above(0),
                "What the server's Adam adds to the root of the squared changes.");
  return options;
}

void Server::step(const ParamVector* previous, ParamVector& mean) {
  if (options_.kind == Kind::kNone || previous == nullptr) return;
  const std::size_t size = mean.flat().size();
  momentum_.resize(size, 0.0F);
  squares_.resize(options_.kind == Kind::kAdam ? size : 0, 0.0F);
  const auto rate = static_cast<float>(options_.learning_rate);
  const auto beta1 = static_cast<float>(options_.beta1);
  const auto beta2 = static_cast<float>(options_.beta2);
  const auto tau = static_cast<float>(options_.tau);
  for (std::size_t w = 0; w < size; ++w) {
    const float from = previous->flat()[w];
    const float change = mean.flat()[w] - from;
    if (options_.kind == Kind::kMomentum) {
      momentum_[w] = beta1 * momentum_[w] + change;
      mean.flat()[w] = from + rate * momentum_[w];
    } else {
      momentum_[w] = beta1 * momentum_[w] + (1.0F - beta1) * change;
      squares_[w] = beta2 * squares_[w] + (1.0F - beta2) * change * change;
      mean.flat()[w] = from + rate * momentum_[w] / (std::sqrt(squares_[w]) + tau);
    }
  }
}

void Server::save(StateWriter& state) const {
  state.write_all(std::span<const float>(momentum_));
  state.write_all(std::span<const float>(squares_));
}

void Server::load(StateReader& state) {
  momentum_ = state.read_all<float>();
  squares_ = state.read_all<float>();
}

}  // namespace fleet
