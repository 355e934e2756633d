// What a server makes of the robots' mean: the mean itself, or a step of an optimiser towards it.
#pragma once

#include "merge/merger.hpp"

namespace fleet {

struct ServerOptions {
  enum class Kind {
    kNone,      ///< the mean is the consensus: FedAvg
    kMomentum,  ///< FedAvgM (Hsu et al., 2019): v = beta1 v + d, x += rate v, with d = mean - x
    kAdam,      ///< FedAdam (Reddi et al., 2021, Algorithm 2): x += rate m / (sqrt(v) + tau)
  };
  Kind kind = Kind::kNone;
  double learning_rate = 1.0;
  double beta1 = 0.9;
  double beta2 = 0.99;  ///< of Adam, as is tau
  double tau = 1e-3;
};

/// Reads "merge.average.server" and what belongs to it.
[[nodiscard]] ServerOptions read_server(SettingsReader& settings);

/// Lives as long as its fleet, alike on every rank.
class Server {
 public:
  explicit Server(const ServerOptions& options) : options_(options) {}

  /// Moves `mean` to where the server goes from `previous`; without one the mean stays.
  void step(const ParamVector* previous, ParamVector& mean);

  void save(StateWriter& state) const;
  void load(StateReader& state);

 private:
  ServerOptions options_;
  std::vector<float> momentum_;  // empty before the first step
  std::vector<float> squares_;
};

}  // namespace fleet
