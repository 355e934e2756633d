#include "merge/consensus.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/error.hpp"
#include "merge/precision.hpp"
#include "merge/privacy.hpp"

namespace fleet {

void charge(const MergeInput& input, Cargo cargo, const CargoBytes& each) {
  if (input.cost == nullptr) return;
  const auto robots = static_cast<std::uint64_t>(input.participants.size());
  input.cost->of(cargo).sent += robots * each.sent;
  input.cost->of(cargo).received += robots * each.received;
}

std::uint64_t model_bytes(const MergeInput& input) {
  return sizeof(float) * input.symmetry->layout()->size();
}

std::uint64_t sent_bytes(const MergeInput& input) {
  return weight_bytes(input.precision, *input.symmetry->layout(), input.maps);
}

ParamVector weights_of(const MergeInput& input, int robot, const Comm& comm) {
  ParamVector weights(input.symmetry->layout());
  std::vector<Comm::Term> terms;
  for (const MergeRow& row : input.rows) {
    if (row.robot == robot) terms.push_back({row.weights->flat(), 1.0});
  }
  comm.ordered_sum(terms, weights.flat());
  charge(input, Cargo::kWeights, {.received = sent_bytes(input)});
  if (input.cost != nullptr) input.cost->of(Cargo::kWeights).sent += sent_bytes(input);
  return weights;
}

std::uint64_t symmetric_bytes(Eigen::Index size) {
  return sizeof(float) * static_cast<std::uint64_t>(size * (size + 1) / 2);
}

std::vector<double> row_weights(const MergeInput& input, bool by_samples) {
  std::vector<double> weights;
  for (const MergeRow& row : input.rows) {
    weights.push_back(row.participates ? (by_samples ? row.samples : 1.0) : 0.0);
  }
  return weights;
}

namespace {

/// The participants' mean, all counting alike, by a private sum of their updates.
void private_mean(const MergeInput& input, std::span<const ParamVector* const> vectors, const Comm& comm,
                  ParamVector& mean) {
  PrivateSums& sums = *input.privately;
  const std::span<const float> center = sums.center().flat();
  std::vector<PrivateTerm> updates;
  for (std::size_t i = 0; i < vectors.size(); ++i) {
    if (!input.rows[i].participates) continue;
    PrivateTerm& update = updates.emplace_back(PrivateTerm{.robot = input.rows[i].robot, .values = {}});
    for (std::size_t w = 0; w < center.size(); ++w) {
      update.values.push_back(static_cast<double>(vectors[i]->flat()[w]) - static_cast<double>(center[w]));
    }
  }
  std::vector<double> sum(center.size());
  sums.add_up(std::move(updates), sums.options().clip, sum, comm);
  const auto robots = static_cast<double>(input.participants.size());
  for (std::size_t w = 0; w < center.size(); ++w) {
    mean.flat()[w] = static_cast<float>(static_cast<double>(center[w]) + sum[w] / robots);
  }
  const std::uint64_t each = sums.options().secure ? sizeof(std::uint64_t) : sizeof(float);
  charge(input, Cargo::kWeights, {.sent = each * center.size(), .received = model_bytes(input)});
}

}  // namespace

void weighted_mean(const MergeInput& input, std::span<const ParamVector* const> vectors,
                   std::span<const double> weights, const Comm& comm, ParamVector& mean) {
  if (input.privately != nullptr) return private_mean(input, vectors, comm, mean);
  const std::vector<double> all = comm.all_gather(weights);
  const double total = std::accumulate(all.begin(), all.end(), 0.0);
  require(total > 0.0, "nothing to average: no robot that takes part has a positive weight");
  std::vector<Comm::Term> terms;
  for (std::size_t i = 0; i < vectors.size(); ++i) {
    if (weights[i] > 0.0) terms.push_back({vectors[i]->flat(), weights[i]});
  }
  comm.ordered_sum(terms, mean.flat(), 1.0 / total);
  charge(input, Cargo::kWeights, {.sent = sent_bytes(input), .received = model_bytes(input)});
  charge(input, Cargo::kScalars, {.sent = sizeof(double)});
}

std::vector<ParamVector> aligned_rows(const MergeInput& input, std::span<const GroupElement> elements) {
  std::vector<ParamVector> aligned;
  for (std::size_t i = 0; i < input.rows.size(); ++i) {
    aligned.push_back(input.symmetry->apply(elements[i], *input.rows[i].weights));
  }
  return aligned;
}

void enter_bases(const MergeInput& input, std::span<const GroupElement> elements) {
  for (std::size_t i = 0; i < input.rows.size(); ++i) {
    input.rows[i].data->enter_basis(elements.empty() ? nullptr : &elements[i]);
  }
}

ParamVector aligned_mean(const MergeInput& input, std::span<const GroupElement> elements, bool by_samples,
                         const Comm& comm) {
  const std::vector<ParamVector> aligned = aligned_rows(input, elements);
  std::vector<const ParamVector*> vectors;
  for (const ParamVector& row : aligned) vectors.push_back(&row);
  ParamVector mean(input.symmetry->layout());
  weighted_mean(input, vectors, row_weights(input, by_samples), comm, mean);
  return mean;
}

void visit_participants(const MergeInput& input, std::span<const ParamVector> vectors, const Comm& comm,
                        const std::function<void(std::size_t place, const ParamVector& weights)>& visit) {
  std::vector<double> mine;
  std::vector<std::size_t> rows;  // of this rank's participants
  for (std::size_t i = 0; i < input.rows.size(); ++i) {
    if (!input.rows[i].participates) continue;
    mine.push_back(comm.rank());
    rows.push_back(i);
  }
  const std::vector<double> owners = comm.all_gather(mine);  // in the participants' order, as blocks ascend with ranks
  auto next = rows.begin();
  ParamVector model(input.symmetry->layout());
  for (std::size_t place = 0; place < owners.size(); ++place) {
    const int owner = static_cast<int>(owners[place]);
    if (comm.rank() == owner) {
      std::copy(vectors[*next].flat().begin(), vectors[*next].flat().end(), model.flat().begin());
      ++next;
    }
    comm.broadcast(model.flat(), owner);
    if (input.cost != nullptr) {
      input.cost->of(Cargo::kWeights).sent += sent_bytes(input);
      input.cost->of(Cargo::kWeights).received += (owners.size() - 1) * sent_bytes(input);
    }
    visit(place, model);
  }
}

std::vector<ParamVector> all_participants(const MergeInput& input, std::span<const ParamVector> vectors,
                                          const Comm& comm) {
  std::vector<ParamVector> all;
  visit_participants(input, vectors, comm,
                     [&](std::size_t /*place*/, const ParamVector& weights) { all.push_back(weights); });
  return all;
}

std::vector<ParamVector> all_participants(const MergeInput& input, const Comm& comm) {
  std::vector<ParamVector> own;
  for (const MergeRow& row : input.rows) own.push_back(*row.weights);
  return all_participants(input, own, comm);
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
  charge(input, Cargo::kScalars, {.sent = 2 * sizeof(double)});
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
  const double score = fleet_mean(input, comm, [&](LocalData& data) { return data.held_out_score(at); });
  return std::isnan(score) ? -std::numeric_limits<double>::infinity() : score;
}

double fleet_loss(const MergeInput& input, const ParamVector& at, const Comm& comm) {
  return fleet_mean(input, comm, [&](LocalData& data) { return data.held_out_loss(at); });
}

double fleet_success(const MergeInput& input, const ParamVector& at, int trials, const Comm& comm) {
  if (input.cost != nullptr) {
    input.cost->episodes += static_cast<std::uint64_t>(trials) * input.participants.size();
  }
  const auto draw = static_cast<std::uint64_t>(input.round);
  return fleet_mean(input, comm, [&](LocalData& data) { return data.trials(at, trials, draw); });
}

bool fleet_imitates(const MergeInput& input, const Comm& comm) {
  const bool classifies = std::any_of(input.rows.begin(), input.rows.end(), [](const MergeRow& row) {
    return row.participates && !row.data->is_quadratic();
  });
  return comm.max(classifies ? 1.0 : 0.0) == 0.0;
}

}  // namespace fleet
