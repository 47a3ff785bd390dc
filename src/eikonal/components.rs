//! Strongly connected components of a graph: the cycles of the upwind graph.
//!
//! Tarjan, SIAM J. Comput. 1 (1972) 146, without recursion.

/// Strongly connected components with more than one member of a graph given as (vertex, vertices
/// it depends on); edges to vertices not listed are ignored. Members ascending, components in
/// order of their first member.
pub fn strongly_connected(graph: &mut [(u32, Vec<u32>)]) -> Vec<Vec<u32>> {
    graph.sort_unstable_by_key(|(v, _)| *v);
    let names: Vec<u32> = graph.iter().map(|(v, _)| *v).collect();
    let edges: Vec<Vec<usize>> = graph
        .iter()
        .map(|(_, upwind)| {
            upwind
                .iter()
                .filter_map(|u| names.binary_search(u).ok())
                .collect()
        })
        .collect();
    let mut components: Vec<Vec<u32>> = tarjan(&edges)
        .into_iter()
        .filter(|members| members.len() > 1)
        .map(|members| {
            let mut members: Vec<u32> = members.into_iter().map(|i| names[i]).collect();
            members.sort_unstable();
            members
        })
        .collect();
    components.sort_unstable();
    components
}

/// All strongly connected components, each after those that it has edges to.
fn tarjan(edges: &[Vec<usize>]) -> Vec<Vec<usize>> {
    const UNSEEN: usize = usize::MAX;
    let n = edges.len();
    let (mut index, mut low) = (vec![UNSEEN; n], vec![0; n]);
    let (mut on_stack, mut stack) = (vec![false; n], Vec::new());
    let mut components = Vec::new();
    let mut count = 0;
    for root in 0..n {
        if index[root] != UNSEEN {
            continue;
        }
        // (vertex, next edge to follow)
        let mut path = vec![(root, 0)];
        while let Some((v, next)) = path.last_mut() {
            let v = *v;
            if *next == 0 {
                index[v] = count;
                low[v] = count;
                count += 1;
                stack.push(v);
                on_stack[v] = true;
            }
            if let Some(&u) = edges[v].get(*next) {
                *next += 1;
                if index[u] == UNSEEN {
                    path.push((u, 0));
                } else if on_stack[u] {
                    low[v] = low[v].min(index[u]);
                }
                continue;
            }
            path.pop();
            if let Some((parent, _)) = path.last() {
                low[*parent] = low[*parent].min(low[v]);
            }
            if low[v] == index[v] {
                let start = stack.iter().rposition(|u| *u == v).unwrap_or(0);
                let members = stack.split_off(start);
                for u in &members {
                    on_stack[*u] = false;
                }
                components.push(members);
            }
        }
    }
    components
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_of_two_cycles_and_a_tail() {
        // 1 → 2 → 3 → 1, 3 → 5, 5 ⇄ 7, 9 → 1
        let mut graph = vec![
            (9, vec![1]),
            (3, vec![1, 5]),
            (1, vec![2]),
            (2, vec![3]),
            (7, vec![5]),
            (5, vec![7, 100]),
        ];
        assert_eq!(
            strongly_connected(&mut graph),
            vec![vec![1, 2, 3], vec![5, 7]]
        );
    }

    #[test]
    fn tarjan_lists_a_component_after_those_it_depends_on() {
        let order = tarjan(&[vec![1], vec![2], vec![1, 3], vec![]]);
        assert_eq!(order.len(), 3);
        assert_eq!(order[0], vec![3]);
        assert_eq!(order[2], vec![0]);
    }
}
