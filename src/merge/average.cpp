#include "merge/average.hpp"

#include "merge/consensus.hpp"
#include "merge/server.hpp"

namespace fleet {
namespace {

/// mu (w - x): the gradient of mu/2 |w - x|^2, which keeps a robot near the consensus x.
class Proximal final : public GradientTerm {
 public:
  Proximal(double mu, const ParamVector& center) : mu_(static_cast<float>(mu)), center_(center) {}
  void add_to(const ParamVector& at, ParamVector& gradient) const override {
    for (std::size_t w = 0; w < gradient.flat().size(); ++w) {
      gradient.flat()[w] += mu_ * (at.flat()[w] - center_.flat()[w]);
    }
  }

 private:
  float mu_;
  const ParamVector& center_;
};

struct AverageOptions {
  bool weighted = true;
  double proximal = 0.0;  ///< FedProx (Li et al., 2020): mu of the robots' training between merges
  ServerOptions server;
};

/// FedAvg (McMahan et al., 2017): theta = sum_i w_i theta_i / sum_i w_i, w_i = samples of robot i, or 1.
class Average final : public Merger {
 public:
  explicit Average(const AverageOptions& options) : options_(options), server_(options.server) {}

  MergerNeeds needs() const override {
    if (options_.proximal == 0.0) return {};
    return {.asks = {Question::kGradientTerm}, .key = "merge.average.proximal"};
  }

  int private_sums(std::span<const AffineMap> /*maps*/) const override { return options_.weighted ? 0 : 1; }

  MergeOutcome merge(const MergeInput& input, const Comm& comm) override {
    Server server = server_;
    MergeOutcome outcome = step(input, server, comm);
    server_ = std::move(server);
    return outcome;
  }

  /// Of what is only proposed the server keeps no momentum.
  MergeOutcome propose(const MergeInput& input, const Comm& comm) override {
    Server server = server_;
    return step(input, server, comm);
  }

  std::unique_ptr<GradientTerm> local_term(int /*robot*/, const ParamVector* consensus) const override {
    if (options_.proximal == 0.0 || consensus == nullptr) return nullptr;
    return std::make_unique<Proximal>(options_.proximal, *consensus);
  }

  void save(int robot, StateWriter& state) const override {
    if (robot == kWholeFleet) server_.save(state);
  }
  void load(int robot, StateReader& state) override {
    if (robot == kWholeFleet) server_.load(state);
  }

 private:
  MergeOutcome step(const MergeInput& input, Server& server, const Comm& comm) const {
    std::vector<const ParamVector*> vectors;
    for (const MergeRow& row : input.rows) vectors.push_back(row.weights);
    MergeOutcome outcome{.merged = ParamVector(input.symmetry->layout())};
    weighted_mean(input, vectors, row_weights(input, options_.weighted), comm, outcome.merged);
    server.step(input.previous, outcome.merged);
    outcome.iterations = 1;
    return outcome;
  }

  AverageOptions options_;
  Server server_;
};

}  // namespace

std::unique_ptr<Merger> make_average(SettingsReader& settings) {
  AverageOptions options;
  settings.read("merge.average.weighted", options.weighted, "Whether robots count by their samples, or equally.");
  settings.read("merge.average.proximal", options.proximal, at_least(0),
                "FedProx: weight of half the squared distance to the merged policy in a robot's loss; 0: none.");
  options.server = read_server(settings);
  return std::make_unique<Average>(options);
}

}  // namespace fleet
