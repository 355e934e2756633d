#include "merge/scaffold.hpp"

#include <map>

#include "merge/consensus.hpp"

namespace fleet {
namespace {

struct ScaffoldOptions {
  bool weighted = true;  ///< robots count by their samples, or equally
  int samples = 1000;    ///< drawn of a robot's, for its control variate
};

using Numbers = std::vector<float>;  // laid out as the weights are

/// c - c_i.
class Control final : public GradientTerm {
 public:
  Control(const Numbers& sum, double weight, const Numbers& own) : difference_(own.size()) {
    for (std::size_t w = 0; w < own.size(); ++w) difference_[w] = sum[w] / static_cast<float>(weight) - own[w];
  }
  void add_to(const ParamVector& /*at*/, ParamVector& gradient) const override {
    for (std::size_t w = 0; w < difference_.size(); ++w) gradient.flat()[w] += difference_[w];
  }

 private:
  Numbers difference_;
};

/// Karimireddy et al., 2020, Algorithm 1, option I: between merges robot i follows its gradient plus c - c_i, where c_i
/// is the gradient of its loss at the consensus from which it last set out, and c the mean of those that are known.
/// Theirs takes plain gradient steps; any optimiser will do here.
class Scaffold final : public Merger {
 public:
  explicit Scaffold(const ScaffoldOptions& options) : options_(options) {}

  MergerNeeds needs() const override { return {.asks = {Question::kLossGradient, Question::kGradientTerm}}; }

  MergeOutcome merge(const MergeInput& input, const Comm& comm) override {
    MergeOutcome outcome = propose(input, comm);
    if (input.previous != nullptr) renew_controls(input, row_weights(input, options_.weighted), comm);
    return outcome;
  }

  MergeOutcome propose(const MergeInput& input, const Comm& comm) override {
    std::vector<const ParamVector*> vectors;
    for (const MergeRow& row : input.rows) vectors.push_back(row.weights);
    MergeOutcome outcome{.merged = ParamVector(input.symmetry->layout())};
    weighted_mean(input, vectors, row_weights(input, options_.weighted), comm, outcome.merged);
    outcome.iterations = 1;
    return outcome;
  }

  std::unique_ptr<GradientTerm> local_term(int robot, const ParamVector* /*consensus*/) const override {
    const auto own = controls_.find(robot);
    return own == controls_.end() ? nullptr : std::make_unique<Control>(sum_, weight_, own->second);
  }

  void save(int robot, StateWriter& state) const override {
    if (robot == kWholeFleet) {
      state.write_all(std::span(sum_));
      state.write(weight_);
      return;
    }
    const auto own = controls_.find(robot);
    state.write_all(own == controls_.end() ? std::span<const float>() : std::span(own->second));
  }

  void load(int robot, StateReader& state) override {
    Numbers numbers = state.read_all<float>();
    if (robot == kWholeFleet) {
      sum_ = std::move(numbers);
      weight_ = state.read<double>();
    } else if (!numbers.empty()) {
      controls_.insert_or_assign(robot, std::move(numbers));
    }
  }

 private:
  /// Participants send by how much their control variates change; everybody gets the sum.
  void renew_controls(const MergeInput& input, const std::vector<double>& weights, const Comm& comm) {
    std::map<int, Numbers> renewed;  // kept when nothing can interrupt any more
    std::vector<ParamVector> changes;
    std::vector<Comm::Term> terms;
    std::vector<double> newcomers;
    comm.together([&] {
      for (std::size_t i = 0; i < input.rows.size(); ++i) {
        const MergeRow& row = input.rows[i];
        if (!row.participates) continue;
        RandomStream stream(input.seed, Purpose::kAlignment, static_cast<std::uint64_t>(row.robot),
                            static_cast<std::uint64_t>(input.round));
        ParamVector& change = changes.emplace_back(input.symmetry->layout());
        (void)row.data->loss_gradient(*input.previous, options_.samples, stream, change);
        const Numbers now(change.flat().begin(), change.flat().end());
        const auto known = controls_.find(row.robot);
        newcomers.push_back(known == controls_.end() ? weights[i] : 0.0);
        for (std::size_t w = 0; known != controls_.end() && w < now.size(); ++w) change.flat()[w] -= known->second[w];
        renewed.emplace(row.robot, now);
      }
    });
    for (auto& [robot, control] : renewed) controls_.insert_or_assign(robot, std::move(control));
    std::size_t change = 0;
    for (std::size_t i = 0; i < input.rows.size(); ++i) {
      if (input.rows[i].participates) terms.push_back({changes[change++].flat(), weights[i]});
    }
    Numbers changed(input.symmetry->layout()->size());
    comm.ordered_sum(terms, changed);
    charge(input, Cargo::kGradients, {.sent = model_bytes(input), .received = model_bytes(input)});
    sum_.resize(changed.size(), 0.0F);
    for (std::size_t w = 0; w < sum_.size(); ++w) sum_[w] += changed[w];
    for (const double weight : comm.all_gather(newcomers)) weight_ += weight;
  }

  ScaffoldOptions options_;
  std::map<int, Numbers> controls_;  // of this rank's robots
  Numbers sum_;                      // of all robots' control variates by their weights; alike on every rank
  double weight_ = 0.0;              // of those robots
};

}  // namespace

std::unique_ptr<Merger> make_scaffold(SettingsReader& settings) {
  ScaffoldOptions options;
  settings.read("merge.scaffold.weighted", options.weighted, "Whether robots count by their samples, or equally.");
  settings.read("merge.scaffold.samples", options.samples, between(1, 1e6),
                "Samples drawn to estimate a robot's control variate.");
  return std::make_unique<Scaffold>(options);
}

}  // namespace fleet
