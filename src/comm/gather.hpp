// What every rank has, on every rank.
#pragma once

#include <cstddef>
#include <span>
#include <type_traits>
#include <vector>

#include "comm/comm.hpp"

namespace fleet {

/// Parts of ranks on their way to all: `counts` has how many elements of so many bytes each rank has, and is the same
/// on every rank; `all` has room for everyone's, in the order of ranks.
struct GatheredParts {
  const void* local;
  std::span<const std::size_t> counts;
  std::size_t element_bytes;
  void* all;
};

/// Among few ranks by the first of the next two, among many by the other. Error on all ranks if all parts together have
/// more elements than MPI counts. Collective.
void gather_parts(const Comm& comm, const GatheredParts& parts);
/// Each rank sends to every other at once, which takes one latency.
void gather_from_each(const Comm& comm, const GatheredParts& parts);
/// A rank sends log2(ranks) messages, each about twice as long as the one before (Bruck et al., Efficient algorithms
/// for all-to-all communications, 1997).
void gather_by_doubling(const Comm& comm, const GatheredParts& parts);

/// One number of each rank. Collective.
template <class Number>
std::vector<Number> gather_numbers(const Comm& comm, Number local) {
  static_assert(std::is_trivially_copyable_v<Number>);
  std::vector<Number> all(static_cast<std::size_t>(comm.size()));
  const std::vector<std::size_t> ones(all.size(), 1);
  gather_parts(comm, {&local, ones, sizeof(Number), all.data()});
  return all;
}

/// What ranks have, of which each may have any number.
template <class Element>
struct Gathered {
  std::vector<Element> all;         // in the order of ranks
  std::vector<std::size_t> counts;  // by rank
};

/// Collective.
template <class Element>
Gathered<Element> gather_elements(const Comm& comm, std::span<const Element> local) {
  static_assert(std::is_trivially_copyable_v<Element>);
  Gathered<Element> gathered{.all = {}, .counts = gather_numbers(comm, local.size())};
  std::size_t total = 0;
  for (const std::size_t count : gathered.counts) total += count;
  gathered.all.resize(total);
  gather_parts(comm, {local.data(), gathered.counts, sizeof(Element), gathered.all.data()});
  return gathered;
}

}  // namespace fleet
