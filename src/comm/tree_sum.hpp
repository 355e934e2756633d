// Sums over robots whose bits do not depend on how the robots lie on ranks, without any rank holding all the terms.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "comm/comm.hpp"

namespace fleet {

/// The sum over all terms of a communicator by a binary tree whose shape is that of the terms alone: term i carries the
/// subtree of terms i ... i + 2^k - 1 for the largest 2^k that divides i, and hands its sum to term i - 2^k. A rank
/// adds up the subtrees that begin with its own terms and passes on O(log terms) partial sums, so that the bits are the
/// same for any number of ranks, the depth is log2(terms) and the memory O(block log terms). (Stelz, Core-Count
/// Independent Reproducible Reduce, KIT 2022.)
class TreeSum {
 public:
  /// Writes elements begin ... begin + sum.size() - 1 of the `term`th of this rank's terms, weighted.
  using Term = std::function<void(std::size_t term, std::size_t begin, std::span<double> sum)>;

  /// Ranks hold consecutive terms, this one `terms` of them. Collective.
  TreeSum(const Comm& comm, std::size_t terms, Term term);

  /// The first rank that has a term; 0 where nobody has.
  [[nodiscard]] int root() const;
  /// At the root() writes to `sum` elements begin, begin + 1 ... of the sum of all terms; elsewhere `sum` is scratch.
  /// Collective; `sum` is equally long on every rank.
  void add_up(std::size_t begin, std::span<double> sum);
  /// By this rank, so far.
  [[nodiscard]] std::uint64_t bytes_sent() const { return bytes_sent_; }

 private:
  /// The sum of terms first ... first + 2^level - 1, as far as there are so many; the first is this rank's.
  void add_up_subtree(std::int64_t first, int level, std::size_t begin, std::span<double> sum);
  [[nodiscard]] int owner(std::int64_t term) const;

  const Comm& comm_;
  Term term_;
  std::vector<std::int64_t> starts_;           // first term of each rank; the last entry is the number of terms
  std::vector<std::vector<double>> partials_;  // a block per level of the tree
  std::uint64_t bytes_sent_ = 0;
};

}  // namespace fleet
