#include "merge/alignment.hpp"

#include "merge/activation_matching.hpp"
#include "merge/consensus.hpp"
#include "merge/weight_matching.hpp"

namespace fleet {
namespace {

/// What the root holds, on every rank.
GroupElement agreed(GroupElement element, const Comm& comm) {
  std::vector<double> flat;
  if (comm.is_root()) {
    for (const Permutation& permutation : element) flat.insert(flat.end(), permutation.begin(), permutation.end());
  }
  flat = comm.all_gather(flat);
  auto next = flat.begin();
  for (Permutation& permutation : element) {
    for (int& unit : permutation) unit = static_cast<int>(*next++);
  }
  return element;
}

/// Turns the common basis, which matching leaves open, to that of the previous consensus.
void anchor(const MergeInput& input, const Comm& comm, std::vector<GroupElement>& elements) {
  const SymmetrySpec& symmetry = *input.symmetry;
  const ParamVector mean = aligned_mean(input, elements, true, comm);
  GroupElement turn = symmetry.identity();
  comm.together([&] {
    RandomStream order(input.seed, Purpose::kMerge, 0, static_cast<std::uint64_t>(input.round));
    if (comm.is_root()) turn = match_weights(symmetry, mean, *input.previous, turn, order);
  });
  turn = agreed(std::move(turn), comm);
  for (std::size_t i = 0; i < elements.size(); ++i) {
    if (input.rows[i].participates) elements[i] = input.symmetry->compose(turn, elements[i]);
  }
}

}  // namespace

std::vector<GroupElement> align_fleet(Alignment alignment, const MergeInput& input, const Comm& comm,
                                      double least_gain) {
  std::vector<GroupElement> elements(input.rows.size(), input.symmetry->identity());
  if (alignment == Alignment::kNone) return elements;
  if (alignment == Alignment::kActivations) return match_activations(input, comm);
  elements = match_fleet(input, comm, {.least_gain = least_gain}).elements;
  if (input.previous != nullptr) anchor(input, comm, elements);
  return elements;
}

}  // namespace fleet
