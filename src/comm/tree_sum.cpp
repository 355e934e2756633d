#include "comm/tree_sum.hpp"

#include <algorithm>
#include <bit>
#include <utility>

#include "comm/gather.hpp"
#include "comm/polite_wait.hpp"

namespace fleet {
namespace {

constexpr int kSumTag = 1;

/// Levels of the smallest full tree over so many terms: 2^levels >= terms.
int levels_over(std::int64_t terms) {
  return static_cast<int>(std::bit_width(static_cast<std::uint64_t>(std::max<std::int64_t>(terms, 1)) - 1));
}

}  // namespace

TreeSum::TreeSum(const Comm& comm, std::size_t terms, Term term) : comm_(comm), term_(std::move(term)) {
  starts_ = gather_numbers(comm, static_cast<std::int64_t>(terms));
  starts_.insert(starts_.begin(), 0);
  for (std::size_t rank = 1; rank < starts_.size(); ++rank) starts_[rank] += starts_[rank - 1];
  partials_.resize(static_cast<std::size_t>(levels_over(starts_.back())));
}

int TreeSum::root() const {
  return starts_.back() > 0 ? owner(0) : 0;
}

int TreeSum::owner(std::int64_t term) const {
  const auto next = std::upper_bound(starts_.begin(), starts_.end(), term);
  return static_cast<int>(next - starts_.begin()) - 1;
}

void TreeSum::add_up(std::size_t begin, std::span<double> sum) {
  const auto rank = static_cast<std::size_t>(comm_.rank());
  if (starts_.back() == 0) std::fill(sum.begin(), sum.end(), 0.0);
  // This rank's terms from left to right, in the largest subtrees that begin with one of them. Messages pass in the
  // order in which the tree is walked, children first, so that blocking sends cannot wait for each other in a circle.
  for (std::int64_t first = starts_[rank]; first < starts_[rank + 1];) {
    if (first == 0) {
      add_up_subtree(0, static_cast<int>(partials_.size()), begin, sum);
      return;
    }
    const int level = std::countr_zero(static_cast<std::uint64_t>(first));
    const std::int64_t width = std::int64_t{1} << level;
    add_up_subtree(first, level, begin, sum);
    finish("MPI_Isend", [&](MPI_Request* request) {
      return MPI_Isend(sum.data(), static_cast<int>(sum.size()), MPI_DOUBLE, owner(first - width), kSumTag,
                       comm_.handle(), request);
    });
    bytes_sent_ += sum.size_bytes();
    first += width;
  }
}

void TreeSum::add_up_subtree(std::int64_t first, int level, std::size_t begin, std::span<double> sum) {
  if (level == 0) {
    term_(static_cast<std::size_t>(first - starts_[static_cast<std::size_t>(comm_.rank())]), begin, sum);
    return;
  }
  add_up_subtree(first, level - 1, begin, sum);
  const std::int64_t second = first + (std::int64_t{1} << (level - 1));
  if (second >= starts_.back()) return;
  std::vector<double>& partial = partials_[static_cast<std::size_t>(level) - 1];
  partial.resize(std::max(partial.size(), sum.size()));
  const std::span<double> other = std::span(partial).first(sum.size());
  if (const int rank = owner(second); rank == comm_.rank()) {
    add_up_subtree(second, level - 1, begin, other);
  } else {
    finish("MPI_Irecv", [&](MPI_Request* request) {
      return MPI_Irecv(other.data(), static_cast<int>(other.size()), MPI_DOUBLE, rank, kSumTag, comm_.handle(),
                       request);
    });
  }
  for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += other[i];
}

}  // namespace fleet
