#include "merge/consensus.hpp"

#include <algorithm>
#include <numeric>

#include "base/error.hpp"

namespace fleet {

std::vector<double> row_weights(const MergeInput& input, bool by_samples) {
  std::vector<double> weights;
  for (const MergeRow& row : input.rows) {
    weights.push_back(row.participates ? (by_samples ? row.samples : 1.0) : 0.0);
  }
  return weights;
}

void weighted_mean(std::span<const ParamVector* const> vectors, std::span<const double> weights, const Comm& comm,
                   ParamVector& mean) {
  const std::vector<double> all = comm.all_gather(weights);
  const double total = std::accumulate(all.begin(), all.end(), 0.0);
  require(total > 0.0, "nothing to average: no robot that takes part has a positive weight");
  std::vector<Comm::Term> terms;
  for (std::size_t i = 0; i < vectors.size(); ++i) {
    if (weights[i] > 0.0) terms.push_back({vectors[i]->flat(), weights[i]});
  }
  comm.ordered_sum(terms, mean.flat(), 1.0 / total);
}

std::vector<ParamVector> aligned_rows(const MergeInput& input, std::span<const GroupElement> elements) {
  std::vector<ParamVector> aligned;
  for (std::size_t i = 0; i < input.rows.size(); ++i) {
    aligned.push_back(input.symmetry->apply(elements[i], *input.rows[i].weights));
  }
  return aligned;
}

ParamVector aligned_mean(const MergeInput& input, std::span<const GroupElement> elements, bool by_samples,
                         const Comm& comm) {
  const std::vector<ParamVector> aligned = aligned_rows(input, elements);
  std::vector<const ParamVector*> vectors;
  for (const ParamVector& row : aligned) vectors.push_back(&row);
  ParamVector mean(input.symmetry->layout());
  weighted_mean(vectors, row_weights(input, by_samples), comm, mean);
  return mean;
}

std::vector<ParamVector> all_participants(const MergeInput& input, std::span<const ParamVector> vectors,
                                          const Comm& comm) {
  std::vector<ParamVector> all(input.participants.size(), ParamVector(input.symmetry->layout()));
  std::vector<double> mine;
  for (std::size_t i = 0; i < input.rows.size(); ++i) {
    if (!input.rows[i].participates) continue;
    const auto at = std::lower_bound(input.participants.begin(), input.participants.end(), input.rows[i].robot);
    const auto place = static_cast<std::size_t>(at - input.participants.begin());
    const ParamVector& own = vectors.empty() ? *input.rows[i].weights : vectors[i];
    std::copy(own.flat().begin(), own.flat().end(), all[place].flat().begin());
    mine.push_back(comm.rank());
  }
  const std::vector<double> owners = comm.all_gather(mine);  // in the participants' order, as blocks ascend with ranks
  for (std::size_t p = 0; p < all.size(); ++p) comm.broadcast(all[p].flat(), static_cast<int>(owners[p]));
  return all;
}

std::vector<ParamVector> all_participants(const MergeInput& input, const Comm& comm) {
  return all_participants(input, {}, comm);
}

namespace {

/// The mean over all participants' samples of what `ask` gets from each.
template <class Ask>
double fleet_mean(const MergeInput& input, const Comm& comm, const Ask& ask) {
  std::vector<double> local;
  comm.together([&] {
    for (const MergeRow& row : input.rows) {
      if (!row.participates) continue;
      const Score score = ask(*row.data);
      local.push_back(score.sum);
      local.push_back(score.samples);
    }
  });
  Score fleet;
  const std::vector<double> all = comm.all_gather(local);
  for (std::size_t i = 0; i < all.size(); i += 2) {
    fleet.sum += all[i];
    fleet.samples += all[i + 1];
  }
  return fleet.samples > 0.0 ? fleet.sum / fleet.samples : 0.0;
}

}  // namespace

double fleet_score(const MergeInput& input, const ParamVector& at, const Comm& comm) {
  return fleet_mean(input, comm, [&](LocalData& data) { return data.held_out_score(at); });
}

double fleet_loss(const MergeInput& input, const ParamVector& at, const Comm& comm) {
  return fleet_mean(input, comm, [&](LocalData& data) { return data.held_out_loss(at); });
}

}  // namespace fleet
