/** What rooms tell each other has changed. The payload names what, never carries it: listeners read for themselves. */
export type Announcement =
  | { readonly topic: 'identity.changed' }
  | { readonly topic: 'access.changed' }
  | { readonly topic: 'upstream.changed'; readonly serverId: string }
  | { readonly topic: 'catalogue.changed'; readonly serverId: string }
  /** The catalogue of a server was read, and is not what it was; or what is held of it is not. */
  | { readonly topic: 'catalogue.read'; readonly serverId: string }

  /** Somebody connected an account at a server. */
  | { readonly topic: 'connection.made'; readonly serverId: string; readonly ownerId: string }

type Listener<Topic extends Announcement['topic']> = (
  announcement: Extract<Announcement, { topic: Topic }>,
) => void

export type Announcements = {
  announce(announcement: Announcement): void
  /** Returns the function that stops listening. */
  listen<Topic extends Announcement['topic']>(topic: Topic, listener: Listener<Topic>): () => void
}

export function openAnnouncements(): Announcements {
  const listeners = new Map<string, Set<(announcement: never) => void>>()
  return {
    announce(announcement) {
      for (const listener of listeners.get(announcement.topic) ?? []) listener(announcement as never)
    },
    listen(topic, listener) {
      const set = listeners.get(topic) ?? new Set()
      listeners.set(topic, set.add(listener))
      return () => set.delete(listener)
    },
  }
}
