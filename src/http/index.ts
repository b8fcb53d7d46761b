export type { Over } from './authenticate.ts'
export type { Health, HealthCheck } from './health.ts'
export { type Http, type HttpParts, openHttp } from './open-http.ts'
export { answerProblem } from './problem.ts'
