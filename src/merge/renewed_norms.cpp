#include "merge/renewed_norms.hpp"

#include <algorithm>

#include "merge/consensus.hpp"

namespace fleet {
namespace {

void renew(const MergeInput& input, std::size_t index, ParamVector& network, const Comm& comm) {
  const AffineMap& map = input.maps[index];
  const auto outputs = static_cast<std::size_t>(map.outputs(network.layout()));
  std::vector<std::vector<double>> local;  // sums, sums of squares, count
  comm.see_through([&] {                   // the method may have remembered the merge already
    for (const MergeRow& row : input.rows) {
      if (!row.participates) continue;
      const OutputSums own = row.data->output_sums(network, index);
      std::vector<double>& values = local.emplace_back(own.sum.begin(), own.sum.end());
      values.insert(values.end(), own.squares.begin(), own.squares.end());
      values.push_back(own.rows);
    }
  });
  std::vector<Comm::DoubleTerm> terms;
  for (const std::vector<double>& values : local) terms.push_back({values, 1.0});
  std::vector<double> total(2 * outputs + 1);
  comm.ordered_sum(terms, total);
  const std::uint64_t bytes = sizeof(double) * total.size();
  charge(input, Cargo::kMoments, {.sent = bytes, .received = bytes});
  const double rows = total.back();
  if (rows == 0.0) return;
  for (std::size_t i = 0; i < outputs; ++i) {
    const double mean = total[i] / rows;
    const double square = total[outputs + i] / rows;
    network.tensor(map.norm->mean)[i] = static_cast<float>(mean);
    network.tensor(map.norm->variance)[i] = static_cast<float>(std::max(0.0, square - mean * mean));
  }
}

class WithRenewedNorms final : public Merger {
 public:
  explicit WithRenewedNorms(std::unique_ptr<Merger> method) : method_(std::move(method)) {}

  MergerNeeds needs() const override { return method_->needs(); }
  int private_sums(std::span<const AffineMap> maps) const override { return method_->private_sums(maps); }
  bool renews_norms() const override { return true; }

  MergeOutcome merge(const MergeInput& input, const Comm& comm) override {
    return renewed(input, method_->merge(input, comm), comm);
  }
  MergeOutcome propose(const MergeInput& input, const Comm& comm) override {
    return renewed(input, method_->propose(input, comm), comm);
  }
  void remember(const MergeInput& input, const ParamVector& consensus, const Comm& comm) override {
    method_->remember(input, consensus, comm);
  }

  std::unique_ptr<GradientTerm> local_term(int robot, const ParamVector* consensus) const override {
    return method_->local_term(robot, consensus);
  }
  void save(int robot, StateWriter& state) const override { method_->save(robot, state); }
  void load(int robot, StateReader& state) override { method_->load(robot, state); }

 private:
  static MergeOutcome renewed(const MergeInput& input, MergeOutcome outcome, const Comm& comm) {
    if (input.participants.size() == 1) return outcome;
    enter_bases(input, outcome.elements);
    renew_norms(input, outcome.merged, comm);
    return outcome;
  }

  std::unique_ptr<Merger> method_;
};

}  // namespace

bool read_renew_norms(SettingsReader& settings) {
  bool renew = true;
  settings.read("merge.renew_norms", renew,
                "Whether batch normalisation gets the mean and variance of the merged network's own outputs.");
  return renew;
}

void renew_norms(const MergeInput& input, ParamVector& network, const Comm& comm) {
  for (std::size_t m = 0; m < input.maps.size(); ++m) {
    if (input.maps[m].norm) renew(input, m, network, comm);
  }
}

std::unique_ptr<Merger> with_renewed_norms(std::unique_ptr<Merger> method) {
  return std::make_unique<WithRenewedNorms>(std::move(method));
}

std::unique_ptr<Merger> renewing(std::unique_ptr<Merger> method, SettingsReader& settings) {
  const bool renews = read_renew_norms(settings) && !method->renews_norms();
  return renews ? with_renewed_norms(std::move(method)) : std::move(method);
}

}  // namespace fleet
